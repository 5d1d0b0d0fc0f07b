-- Words of names: how two of them compare, and which word of a name is the given one.
create or replace function text.is_slip(one text, other text) returns boolean
    language sql immutable strict parallel safe
    return least(length(one), length(other)) >= 2
        and (
            public.levenshtein_less_equal(
                left(one, 255), left(other, 255), greatest(1, greatest(length(one), length(other)) / 4)
            ) <= greatest(1, greatest(length(one), length(other)) / 4)
            or length(one) = length(other)
            and public.levenshtein_less_equal(left(one, 255), left(other, 255), 2) = 2
            and exists (
                select from generate_series(1, length(one) - 1) place
                where
                    overlay(one placing substr(one, place + 1, 1) || substr(one, place, 1) from place for 2)
                    = other
            )
        );
comment on function text.is_slip is
    'two folded words differ by one edit, by one for every four letters, or by two letters that changed places';

create or replace function text.is_short_form(one text, other text) returns boolean
    language sql immutable strict parallel safe
    return one <> other
        and least(length(one), length(other)) > 0
        and case
            when length(one) < length(other)
                then starts_with(other, one) and one ~ '^([a-z]|ch|gh|gi|kh|ng|ngh|nh|ph|qu|th|tr)$'
            else starts_with(one, other) and other ~ '^([a-z]|ch|gh|gi|kh|ng|ngh|nh|ph|qu|th|tr)$'
        end;
comment on function text.is_short_form is
    'one of two folded words is the initial of the other, or its first consonants (`Ng.`, `Th.`, `V.`)';

-- Hỏi and ngã sound alike in most of the country, and are often exchanged.
create or replace function text.marks(name text, folded_word text) returns text
    language sql immutable strict parallel safe
    return (
        select string_agg(distinct mark[1], '' order by mark[1])
        from (
            -- The given name stands behind a family name that folds alike: of Nguyễn Hữu Nguyên the last.
            select word from regexp_split_to_table(name, '\s+') with ordinality each (word, place)
            where text.fold(word) = folded_word
            order by place desc
            limit 1
        ) named
        cross join regexp_matches(
            translate(normalize(replace(lower(word), 'đ', E'd\u0335'), nfd), E'\u0309', E'\u0303'),
            '[\u0300-\u036f]', 'g'
        ) mark
    );
comment on function text.marks is
    'the marks of a word in a name, of the last one that folds so, wherever they stand in it; null without any; the stroke of đ is one';

create or replace function text.is_syllable(folded_word text) returns boolean
    language sql immutable strict parallel safe
    return folded_word ~ (
        '^(ngh|ng|nh|gh|gi|g|kh|k|ch|c|th|tr|t|ph|p|qu|b|d|h|l|m|n|r|s|v|x)?'
        '(a[iouy]?|eo?|eu|i|ia|ieu?|iu|o[aio]?|oa[iouy]|oeo?|u|ua[iuy]?|ueu?|ui|uo[iu]?|uu|uy[aeu]?|y|yeu?)'
        '(ch|c|m|ng|nh|n|p|t)?$'
    );
comment on function text.is_syllable is 'a folded word may be a Vietnamese syllable';

create or replace function text.is_family_name(folded_word text) returns boolean
    language sql immutable strict parallel safe
    return folded_word = any(string_to_array(
        'an au ba bach ban banh be bien bui ca cam cao cau cha chao chau che chu chung chuong co '
        'cong cu cung cuu dam dan dang danh dao dau dia diem dien diep dieu dinh do doan doi dong '
        'du duong gia giang giao giap ha han hang hau hinh ho hoa hoang hong hua hung huong huynh '
        'kha khau kheo khieu khong khuat khuc khuong kien kieu kim la lac lai lam lan lanh lau le '
        'leu lieng linh lo loc loi long lu lua luc luong luu luyen ly ma mac mai man mang mau meo '
        'mo mong mua mui ngan nghi nghiem ngo ngoc ngu nguy nguyen nhan nhu ninh nong o on ong '
        'pham phan phi pho phu phuc phung phuong po quach quan quang que ro sam san sen sinh son '
        'su sung ta tan tang tao thach thai tham than thang thanh thao thi thien thieu thoi '
        'thuong tien tieu tinh to ton tong tra tran tri trieu trinh trung truong tu tuong ty ung '
        'uong van vang vi vien vo vong vu vua vuong vuu vy xa xieng xuan',
        ' '
    ));
comment on function text.is_family_name is 'a folded word is a family name (họ) of Kinh or a minority';

create or replace function text.is_given_name_in(name text, folded_word text) returns boolean
    language sql immutable strict parallel safe
    return (
        select case
            -- A name without any mark is written without them.
            when octet_length(name) = length(name)
                then folded_word = any(string_to_array(text.fold(names), ' '))
            else exists (
                select from regexp_split_to_table(lower(normalize(name, nfc)), '\s+') word
                where text.fold(word) = folded_word and word = any(string_to_array(names, ' '))
            )
        end
        from (
            select
            'an anh ba biên biển bá bách bình bích bính bông băng bạch bảo bảy bắc bằng ca cam canh cao '
            'chi chinh chiến chung chuyên châm châu chí chín chính chương chấn cung công cúc cương '
            'cường cảnh cầm cần cẩm danh dinh diễm diễn diện diệp diệu doan doanh dung duy duyên duẩn '
            'dân dĩnh dũng dư dương dần dậu em gia giang giàu giác giáp gái gấm hinh hiên hiến hiếu '
            'hiền hiển hiệp hiệu hoa hoan hoà hoài hoàn hoàng hoành hoá huy huyên huyền huân huê huấn '
            'huế huệ huỳnh hà hài hành hào hân hòa hóa hùng hưng hương hướng hường hạ hạnh hạo hải hảo '
            'hậu hằng học hồ hồi hồng hổ hội hợi hợp hữu kha khang khiêm khiết khoa khoan khoát khuyên '
            'khuê kháng khánh khôi khôn khương khả khải kim kiên kiếm kiều kiệm kiện kiệt kính kỳ kỷ la '
            'lai lam lan linh liêm liên liễu loan long luyến luyện luân luận luật ly lài lành lâm lân '
            'lãm lê lý lăng lĩnh lư lưu lương lượng lạc lập lễ lệ lộc lợi lụa lục lữ lực mai mi minh '
            'miên my mây mão mùi mơ mười mạnh mẫn mận mậu mến mị mỵ mỹ na nam nga nghi nghiêm nghiệp '
            'nghĩa nghị ngoan ngoạn nguyên nguyện nguyệt ngà ngát ngân ngôn ngọc ngộ nhi nhiên nho nhu '
            'nhung nhàn nhân nhã như nhường nhượng nhạn nhất nhẫn nhật nhị ninh nông năm năng nương '
            'oanh phan phi phong phát phùng phú phúc phương phước phượng phụng quang quy quyên quyến '
            'quyết quyền quân quý quảng quế quốc quỳnh sa san sang sen sinh song sáng sáu sâm sĩ sơn '
            'sửu sỹ thanh thao thi thiên thiết thiện thiệu thoa thoan thoại thu thuyên thuyết thuý '
            'thuần thuận thuật thuỳ thuỵ thuỷ thy thành thái thân thêm thìn thông thùy thúy thăng thơ '
            'thơm thư thương thường thưởng thượng thạch thạnh thạo thảo thắm thắng thế thịnh thọ thống '
            'thới thời thục thụy thủ thủy thứ tiên tiến tiền tiệp toàn toán toại toản trang tri trinh '
            'triết triều triệu trung trà tràng trác tráng trâm trân trình trí trúc trương trường trấn '
            'trầm trị trọng trực tuyên tuyến tuyết tuyền tuân tuý tuấn tuất tuệ tài tám tâm tân tây '
            'tình tín tính tôn tùng tú túy tý tĩnh tư tươi tường tưởng tạ tạo tải tản tấm tấn tần tố '
            'tốt tứ tử tỵ uy uyên uyển vi vinh viên viễn việt vui vy vàng vân võ văn vĩ vĩnh vũ vương '
            'vượng vị vịnh vọng vỹ xoan xuyên xuyến xuân y yên yến ánh ân út ý đa đan đang điềm điền '
            'điển điệp đoan đoài đoàn đàn đào đình đích đô đông đăng đương đường được đại đạo đạt đảng '
            'đắc đằng định đồng độ đức ảnh' as names
        ) list
    );
comment on function text.is_given_name_in is 'a word of a name is in use as a Vietnamese given name (tên)';

create or replace function text.order_of_name(folded_words text[]) returns text
    language sql immutable strict parallel safe
    return (
        select case
            -- These stand before given names that are no Vietnamese syllables.
            when folded_words[1] = any('{kpa,ksor,nay,rcom,rmah,siu}')
                or folded_words[1] || coalesce(folded_words[2], '')
                = any('{ksor,rcom,rmah,rocham,rahlan,romah}')
                then 'family name first'
            when folded_words[1] = any('{a,h,y}') then 'unknown'
            when vietnamese and text.is_family_name(folded_words[1]) then 'family name first'
            when vietnamese or text.is_family_name(folded_words[1]) then 'unknown'
            else 'given name first'
        end
        from (select bool_and(text.is_syllable(word)) as vietnamese from unnest(folded_words) word) spelled
    );
comment on function text.order_of_name is
    'a name begins with a Vietnamese family name, as a foreign name with the given name, or either may be';
