-- Folding of Vietnamese text: what is left when case, accents, tone placement and spacing are only form.
create schema text;

create function text.fold(given text) returns text
    language sql immutable strict parallel safe
    return btrim(regexp_replace(
        lower(translate(
            normalize(given, NFC),
            'àÀảẢãÃáÁạẠăĂằẰẳẲẵẴắẮặẶâÂầẦẩẨẫẪấẤậẬèÈẻẺẽẼéÉẹẸêÊềỀểỂễỄếẾệỆìÌỉỈĩĨíÍịỊòÒỏỎõÕóÓọỌôÔồỒổỔỗỖốỐộỘơƠờỜởỞỡỠớỚợỢùÙủỦũŨúÚụỤưƯừỪửỬữỮứỨựỰỳỲỷỶỹỸýÝỵỴđĐðÐɖƉ',
            'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeeeeeeeiiiiiiiiiioooooooooooooooooooooooooooooooooouuuuuuuuuuuuuuuuuuuuuuyyyyyyyyyydddddd'
        )),
        '[^a-z0-9]+', ' ', 'g'
    ));

comment on function text.fold is
    'Lower case without accents (Đ, its look-alikes and đ become d); anything but letters and digits becomes one space.';

create function text.fold_name(given text) returns text
    language sql immutable strict parallel safe
    return replace(text.fold(given), ' ', '');

comment on function text.fold_name is 'fold() without spaces: names differ in form only when this is equal.';
