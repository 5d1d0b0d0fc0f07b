"""Vietnamese names as data: family names by frequency, middle and given names by sex and generation."""

from __future__ import annotations

from typing import Final


def words(text: str) -> list[str]:
    """The words of a list written with bars between them."""
    return text.split("|")


# Weights among the Kinh majority, about per mille.
SURNAMES: Final = dict(
    entry.rsplit(" ", 1)
    for entry in words(
        "Nguyễn 384|Trần 110|Lê 95|Phạm 71|Phan 45|Huỳnh 37|Hoàng 36|Võ 22|Vũ 22|Đặng 21|Bùi 20|Đỗ 14|"
        "Hồ 13|Ngô 13|Trương 11|Dương 10|Đoàn 7|Trịnh 6|Đinh 6|Đào 6|Lâm 5|Mai 5|Lý 5|Cao 5|Phùng 4|Hà 4|"
        "Lương 4|Lưu 4|Tô 3|Châu 3|Vương 3|Tạ 3|Thái 3|Chu 3|Kiều 2|Quách 2|Nghiêm 2|Triệu 2|Tống 2|Từ 2|"
        "Đàm 2|Bạch 1|Doãn 1|Khổng 1|La 1|Tăng 1|Thân 1|Ông 1|Viên 1|Hứa 1"
    )
)

MIDDLE_MALE_OLD: Final = words("Văn|Văn|Văn|Văn|Đình|Đức|Xuân|Hữu|Công|Quang|Ngọc|Bá|Trọng|Viết|Huy")
MIDDLE_MALE_YOUNG: Final = words(
    "Văn|Minh|Minh|Gia|Đức|Quốc|Hoàng|Anh|Tuấn|Thanh|Hải|Nhật|Bảo|Tiến|Duy|Thành|Quang|Hữu|Đăng|Khánh"
)
MIDDLE_FEMALE_OLD: Final = words("Thị|Thị|Thị|Thị|Thị|Thị|Ngọc|Kim|Thu|Thanh|Hồng|Bích")
MIDDLE_FEMALE_YOUNG: Final = words(
    "Thị|Thị|Ngọc|Thu|Thanh|Phương|Khánh|Minh|Bảo|Hồng|Thùy|Quỳnh|Mai|Kim|Diệu|Thảo|Như|Tuyết|Thị Thu|"
    "Thị Thanh"
)

GIVEN_MALE_OLD: Final = words(
    "Hùng|Dũng|Cường|Thắng|Hòa|Hoà|Bình|Sơn|Hải|Long|Minh|Tâm|Tài|Lợi|Phúc|Thành|Tiến|Vinh|Quý|Hiếu|"
    "Thọ|Lộc|Đức|Toàn|Khoa|Thụy|Hóa|Bảy|Tám|Năm|Chiến|Kháng|Lập|Quyết|Thuận|Tuấn|Hưng|Nghĩa|Trung|Mạnh|"
    "Ba|Đông|Tư|Hợp|Ngọc|Liêm|Lý|Khánh"
)
GIVEN_MALE_YOUNG: Final = words(
    "Khôi|Minh|Anh|Huy|Duy|Nam|Phong|Quân|Khang|Bảo|Đạt|Kiên|Tùng|Tú|Thiện|Nhân|Khoa|Phát|Thịnh|Hoàng|"
    "Việt|Hiển|Trí|Đăng|Dương|Nguyên|Quang|Tuấn|Hưng|Lâm|Vũ|Sang|Trường|Giang|Hào|Luân|Kiệt|Thái|Thụy|"
    "Hòa|Thuỵ|Đan|An|Bách|Tín"
)
GIVEN_FEMALE_OLD: Final = words(
    "Lan|Hoa|Hồng|Mai|Cúc|Hương|Nga|Thủy|Thuỷ|Thanh|Liên|Loan|Phượng|Tuyết|Xuân|Thu|Hạnh|Dung|Yến|Oanh|"
    "Hằng|Hà|Hiền|Nhung|Lý|Thoa|Hòa|Bích|Sáu|Bảy|Út|Lành|Ngọc|Minh|Sen|Huệ|Đào|Mận|Thơm|Tươi|Gái|Chín|"
    "Nhàn|Duyên|Khuyên|Kim|Tâm|Hóa"
)
GIVEN_FEMALE_YOUNG: Final = words(
    "Anh|Linh|Trang|Hương|Ngọc|Ngân|Thảo|Vy|Nhi|Trâm|Quỳnh|Phương|My|Hân|Uyên|Thư|Châu|Chi|Mai|Giang|"
    "Thúy|Thuý|Thùy|Diễm|Hà|Trinh|Tiên|Yến|Nhung|Ánh|Hoài|Huyền|Trúc|Đan|Khuê|Diệp|Băng|Tường Vi|Kiều|"
    "Ly|Hiền|Thoa|Hoà|An|Bình|Thy|Như|Nguyệt|Vân|Duyên"
)

# Ethnic groups (code, name, per mille) after the General Statistics Office's list of 54.
ETHNICITIES: Final = [
    (1, "Kinh", 853), (2, "Tày", 19), (3, "Thái", 19), (4, "Mường", 15), (5, "Khmer", 14), (6, "Hoa", 8),
    (7, "Nùng", 11), (8, "Mông", 14), (9, "Dao", 9), (10, "Gia Rai", 20), (11, "Ê Đê", 18),
]  # fmt: skip

# Family names of those ethnic groups that do not share the majority's.
ETHNIC_SURNAMES: Final = {
    2: words("Nông|Hoàng|Ma|Vi|Lục|Bế|Hà"),
    3: words("Lò|Quàng|Cà|Vi|Lường|Tòng|Lương"),
    4: words("Bùi|Đinh|Quách|Hà|Bạch"),
    5: words("Thạch|Sơn|Kim|Danh|Kiên|Lâm"),
    6: words("Trần|Lâm|Quách|Vương|Lý|Huỳnh"),
    7: words("Nông|Hoàng|Lương|Mông|Lý|Triệu"),
    8: words("Giàng|Sùng|Vàng|Thào|Lầu|Lý|Hạng"),
    9: words("Bàn|Triệu|Đặng|Phàn|Chảo|Lý"),
    10: words("K'Sor|Rơ Chăm|Siu|Nay|Kpă|Rmah"),
}
MONG_GIVEN_MALE: Final = words("Páo|Dính|Chư|Lử|Sính|Vừ|Tủa|Dơ|Pó|Chía")
MONG_GIVEN_FEMALE: Final = words("Mỷ|Dúa|Sáy|Chở|Pàng|Mảy|Súa|Dợ")
JARAI_GIVEN_MALE: Final = words("Nham|Thul|Hyơk|Phơn|Blôi|Tơr|Grin|Khuih")
JARAI_GIVEN_FEMALE: Final = words("H'Lan|H'Nga|H'Bia|H'Luyên|H'Mrơi|H'Dim")
# Ê Đê names end in the clan, which the register's mechanical split puts under Tên: "H'Hen Niê", "Y Ban Niê".
EDE_CLANS: Final = words("Niê|Mlô|Byă|Êban|Kbuôr|Ayun|Kđoh")
EDE_GIVEN_MALE: Final = words("Ban|Thịnh|Luyện|Bhăm|Sĩ|Wơn|Khoa|Djăng")
EDE_GIVEN_FEMALE: Final = words("H'Hen|H'Bia|H'Linh|H'Nhung|H'Wen|H'Ziêl|H'Đơk")
KHMER_GIVEN: Final = words("Sa Rây|Đa Ra|Sóc Kha|Ra Ni|Sô Phia|Chanh Đa|Thi Đa|Rít Thi")

COMPANY_KINDS: Final = [
    "CÔNG TY TNHH",
    "CÔNG TY CỔ PHẦN",
    "CÔNG TY TNHH MỘT THÀNH VIÊN",
    "DOANH NGHIỆP TƯ NHÂN",
]
COMPANY_TRADES: Final = words(
    "XUẤT NHẬP KHẨU|THƯƠNG MẠI|THƯƠNG MẠI VÀ DỊCH VỤ|SẢN XUẤT|CHẾ BIẾN THỦY SẢN|DỆT MAY|LOGISTICS|CƠ KHÍ|"
    "ĐIỆN TỬ|NÔNG SẢN|VẬT LIỆU XÂY DỰNG|GỖ NỘI THẤT"
)

STREETS: Final = words(
    "Hàng Bài|Lê Lợi|Trần Hưng Đạo|Nguyễn Trãi|Hai Bà Trưng|Lý Thường Kiệt|Quang Trung|Phan Chu Trinh|"
    "Nguyễn Huệ|Hùng Vương|Bà Triệu|Trần Phú|Lê Duẩn|Điện Biên Phủ|Nguyễn Văn Cừ|Cách Mạng Tháng Tám|"
    "Võ Thị Sáu|Ngô Quyền|Đinh Tiên Hoàng|Lê Hồng Phong|Nguyễn Du|Phạm Ngũ Lão|Tô Hiến Thành|"
    "Hoàng Diệu|Kim Mã|Láng Hạ|Giải Phóng|Thụy Khuê"
)
HAMLETS: Final = words("Thôn|Ấp|Tổ dân phố|Bản|Xóm")
