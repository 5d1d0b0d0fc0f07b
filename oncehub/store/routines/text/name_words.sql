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
            select word from regexp_split_to_table(name, '\s+') word
            where text.fold(word) = folded_word
            limit 1
        ) named
        cross join regexp_matches(
            translate(normalize(replace(lower(word), 'đ', E'd\u0335'), nfd), E'\u0309', E'\u0303'),
            '[\u0300-\u036f]', 'g'
        ) mark
    );
comment on function text.marks is
    'the marks of a word in a name, wherever they stand in it; null without any; the stroke of đ is one';

create or replace function text.is_syllable(folded_word text) returns boolean
    language sql immutable strict parallel safe
    return folded_word ~ (
        '^(ngh|ng|nh|gh|gi|g|kh|k|ch|c|th|tr|t|ph|p|qu|b|d|h|l|m|n|r|s|v|x)?'
        '(a[iouy]?|eo?|eu|i|ieu?|iu|o[aio]?|oa[iouy]|oeo?|u|ua[iuy]?|ueu?|ui|uo[iu]?|uu|uy[aeu]?|y|yeu?)'
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

create or replace function text.is_given_name(folded_word text) returns boolean
    language sql immutable strict parallel safe
    return folded_word = any(string_to_array(
        'ai am an anh ao ba bac bach bai ban bang banh bao bay be ben bi bich bien biet bin binh '
        'boi bon bong buoi buu ca cam can canh cao cat cau chanh chau che chi chien chieu chin '
        'chinh cho chuc chung chuong chuyen co con cong cu cua cuc cung cuong dai dam dan dang '
        'danh dao dat dau dem den di dich diem dien diep dieu dinh do doa doai doan doi don dong '
        'du duc dung duoc duong duy duyen em gai gam gan gia giac giam giang giao giap giau gioi '
        'ha hac hai ham han hang hanh hao hau hi hien hieu hinh ho hoa hoai hoan hoang hoc hoe '
        'hoi hon hong hop hot hua hue hung huong huu huy huyen huynh ich kha khai kham khan khang '
        'khanh khau khe khen khiem khoa khoai khoan khoi khong khu khue khuong khuyen khuyet kiem '
        'kien kiet kieu kim ky la lac lai lam lan lang lanh lap lau le len lich liem lien lieu '
        'linh lo loan loc loi long lua luan luat luc luong luu luyen ly mai man manh mao mau may '
        'men mi mien minh mo moi mong mui muoi muon my na nam nan nang nga ngai ngan nghi nghia '
        'nghiem ngo ngoan ngoc ngon ngu nguyen nguyet nha nham nhan nhat nhi nhiem nhien nho nhu '
        'nhung nhuong ni nien ninh nong nu nuoi oanh on phai pham phan phat phi pho phong phu '
        'phuc phung phuoc phuong qua quan quang quat que qui quoc quy quyen quyet quynh ren ri sa '
        'sac sam san sang sanh sao sau sen si sinh so soan son song su sua suong suot suu sy ta '
        'tai tam tan tang tao tap tat tay te tham than thang thanh thao thap that the them thi '
        'thich thiem thien thiep thiet thieu thin thinh tho thoa thoai thoan thoi thom thong thu '
        'thua thuan thuat thuc thuong thuy thuyen thuyet ti tich tiem tien tieng tiep tiet tin '
        'tinh to toai toan toi ton trac trai tram tran trang tri trien trieu trinh trong tru truc '
        'trung truoc truong truyen tu tua tuan tuat tuc tue tung tuoi tuong tuyen tuyet ty uc ut '
        'uyen van vang vi vien viet vinh vo vong vu vui vuong vuot vy xa xinh xoa xoan xuan xuyen '
        'xuyet y yen',
        ' '
    ));
comment on function text.is_given_name is 'a folded word is in use as a Vietnamese given name (tên)';

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
