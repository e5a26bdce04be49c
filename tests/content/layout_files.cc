#include "layout_files.h"

#include <bit>
#include <initializer_list>
#include <utility>

#include "support/seeded.h"

namespace mmh::test {
namespace {

using content::ContentClass;
using content::ElementType;
using content::LayoutFormat;
using content::Region;
using namespace std::string_view_literals;

// Appends numbers and text.
class Writer {
 public:
  template <class T>
  Writer& le(T value) {
    std::byte bytes[sizeof(T)];
    store_le(Bytes(bytes), value);
    append(out, bytes);
    return *this;
  }
  template <class T>
  Writer& be(T value) {
    return le(std::byteswap(value));
  }
  Writer& text(std::string_view value) {
    append(out, as_bytes(value));
    return *this;
  }
  Writer& bytes(ByteView value) {
    append(out, value);
    return *this;
  }
  Writer& zeros(std::size_t count) { return bytes(Buffer(count, std::byte{0})); }
  Writer& pad_to(std::size_t multiple) { return zeros((multiple - out.size() % multiple) % multiple); }
  std::size_t size() const { return out.size(); }

  Buffer out;
};

Buffer noise(std::size_t size) { return random_bytes(size, size); }

Region tensor(std::size_t offset, std::size_t size, ElementType type, std::size_t row, std::size_t inner,
              std::string name) {
  return {.offset = offset, .size = size, .type = type, .row_size = row, .inner_size = inner, .name = std::move(name)};
}

LayoutFile safetensors() {
  const std::string header =
      R"({"__metadata__":{"format":"pt","note":"a \"quoted\" {brace}"},)"
      R"("layer.weight":{"dtype":"F32","shape":[8,16],"data_offsets":[0,512]},)"
      R"( "odd" : { "shape" : [ 4, 3, 2 ], "dtype" : "BF16", "data_offsets" : [ 512 , 560 ] } ,)"
      R"("steps":{"dtype":"I64","shape":[],"data_offsets":[560,568]},"none":{"dtype":"F16","shape":[0],"data_offsets":[568,568]},)"
      R"("new":{"dtype":"F4","shape":[4],"data_offsets":[568,570]}}  )";
  Writer file;
  file.le(std::uint64_t{header.size()}).text(header).bytes(noise(570));
  const std::size_t data = 8 + header.size();
  return {"safetensors",
          LayoutFormat::safetensors,
          file.out,
          {tensor(data, 512, ElementType::fp32, 64, 64, "layer.weight"),
           tensor(data + 512, 48, ElementType::bf16, 12, 4, "odd"),
           tensor(data + 560, 8, ElementType::int64, 0, 0, "steps")}};
}

LayoutFile gguf(std::uint32_t version) {
  Writer file;
  const auto text = [&](std::string_view value) { file.le(std::uint64_t{value.size()}).text(value); };
  file.text("GGUF").le(version).le(std::uint64_t{3}).le(std::uint64_t{4});
  text("general.name");
  file.le(std::uint32_t{8});
  text("tiny");
  text("general.alignment");
  file.le(std::uint32_t{4}).le(std::uint32_t{64});
  text("tokens");
  file.le(std::uint32_t{9}).le(std::uint32_t{8}).le(std::uint64_t{3});
  for (const auto token : {"a"sv, "bc"sv, ""sv}) text(token);
  text("scores");
  file.le(std::uint32_t{9}).le(std::uint32_t{6}).le(std::uint64_t{3}).zeros(12);
  const auto info = [&](std::string_view name, std::initializer_list<std::uint64_t> shape, std::uint32_t type,
                        std::uint64_t offset) {
    text(name);
    file.le(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t dimension : shape) file.le(dimension);
    file.le(type).le(offset);
  };
  info("norm", {10}, 0, 0);
  info("blk.0.q", {64, 4}, 2, 64);
  info("blk.0.k", {256, 3}, 14, 256);
  file.pad_to(64);
  const std::size_t data = file.size();
  file.bytes(noise(256 + 630));
  return {version == 3 ? "gguf3" : "gguf2",
          LayoutFormat::gguf,
          file.out,
          {tensor(data, 40, ElementType::fp32, 40, 40, "norm"),
           tensor(data + 64, 144, ElementType::q4_0, 36, 36, "blk.0.q"),
           tensor(data + 256, 630, ElementType::q6_k, 210, 210, "blk.0.k")}};
}

Buffer npy(std::string_view descr, std::string_view order, std::string_view shape, std::size_t size) {
  std::string header = "{'descr': '" + std::string(descr) + "', 'fortran_order': " + std::string(order) +
                       ", 'shape': " + std::string(shape) + ", }";
  header.append((64 - (header.size() + 11) % 64) % 64, ' ');
  header += '\n';
  Writer file;
  file.text("\x93NUMPY\1\0"sv).le(static_cast<std::uint16_t>(header.size())).text(header).bytes(noise(size));
  return file.out;
}

LayoutFile npy_file() {
  Buffer bytes = npy("<f4", "False", "(3, 5, 7)", 420);
  const std::size_t data = bytes.size() - 420;
  return {"npy", LayoutFormat::npy, std::move(bytes), {tensor(data, 420, ElementType::fp32, 140, 28, "")}};
}

LayoutFile fortran_npy_file() {
  Buffer bytes = npy(">i2", "True", "(3, 50)", 300);
  const std::size_t data = bytes.size() - 300;
  Region region = tensor(data, 300, ElementType::int16, 6, 6, "");
  region.big_endian = true;
  return {"npy_fortran", LayoutFormat::npy, std::move(bytes), {region}};
}

std::size_t place_of(ByteView file, ByteView part) {
  return static_cast<std::size_t>(std::ranges::search(file, part).begin() - file.begin());
}

LayoutFile npz() {
  const Buffer first = npy("<f8", "False", "(10, 4)", 320);
  const Buffer second = npy("|u1", "False", "(77,)", 77);
  Buffer file = zip_of({{"first.npy", first}, {"folder/second.npy", second}, {"note.txt", noise(30)}}, false);
  const std::size_t at = place_of(file, first) + first.size() - 320;
  const std::size_t then = place_of(file, second) + second.size() - 77;
  return {"npz",
          LayoutFormat::zip,
          std::move(file),
          {tensor(at, 320, ElementType::fp64, 32, 32, "first"),
           tensor(then, 77, ElementType::uint8, 77, 77, "folder/second")},
          false};
}

// A tensor: six by ten floats, all of storage "0"; another: the last 20 of 50 halfs of storage "1", transposed.
Buffer pickle_of_two_tensors() {
  Writer p;
  p.text("\x80\2}q\0("sv);
  p.text("X\6\0\0\0weightq\1"sv);
  p.text(
      "ctorch._utils\n_rebuild_tensor_v2\nq\2((X\7\0\0\0storageq\3ctorch\nFloatStorage\nq\4X\1\0\0\0"
      "0q\5X\3\0\0\0cpuq\6K<tq\7QK\0K\6K\n\x86q\x08K\nK\1\x86q\t\x89"
      "ccollections\nOrderedDict\nq\n)Rq\x0Btq\x0CRq\x0D"sv);
  p.text("X\4\0\0\0biasq\x0E"sv);
  p.text(
      "ctorch._utils\n_rebuild_parameter\nq\x0Fh\2((h\3ctorch\nHalfStorage\nq\x10X\1\0\0\0"
      "1q\x11h\6K2tq\x12QK\x1EK\5K\4\x86q\x13K\1K\5\x86q\x14\x89h\n)Rtq\x15R\x88h\n)R\x87Rq\x16u."sv);
  return p.out;
}

LayoutFile torch(bool zip64) {
  const Buffer weight = noise(240);
  const Buffer bias = noise(100);
  Buffer file = zip_of({{"model/data.pkl", pickle_of_two_tensors()},
                        {"model/byteorder", copy_of(as_bytes("little"))},
                        {"model/data/0", weight},
                        {"model/data/1", bias},
                        {"model/version", copy_of(as_bytes("3\n"))}},
                       true, zip64);
  const std::size_t at = place_of(file, weight);
  const std::size_t then = place_of(file, bias);
  return {zip64 ? "torch_zip64" : "torch",
          LayoutFormat::zip,
          std::move(file),
          {tensor(at, 240, ElementType::fp32, 40, 40, "weight"), tensor(then, 60, ElementType::fp16, 0, 0, ""),
           tensor(then + 60, 40, ElementType::fp16, 10, 10, "bias")},
          false};
}

void put_varint(Writer& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.le(static_cast<std::uint8_t>(value | 0x80));
  out.le(static_cast<std::uint8_t>(value));
}
void put_field(Writer& out, std::uint64_t number, ByteView bytes) {
  put_varint(out, number << 3 | 2);
  put_varint(out, bytes.size());
  out.bytes(bytes);
}
void put_field(Writer& out, std::uint64_t number, std::uint64_t value) {
  put_varint(out, number << 3);
  put_varint(out, value);
}

LayoutFile onnx() {
  const Buffer raw = noise(96);
  Writer first;  // dimensions one by one, raw bytes
  put_field(first, 1, 4);
  put_field(first, 1, 6);
  put_field(first, 2, 1);
  put_field(first, 8, as_bytes("w"));
  put_field(first, 9, raw);
  const Buffer packed = noise(28);
  Writer second;  // dimensions packed, floats packed, name last
  put_field(second, 1, as_bytes("\7"));
  put_field(second, 4, packed);
  put_field(second, 2, 1);
  put_field(second, 8, as_bytes("b"));
  const Buffer halfs = noise(50);
  Writer third;
  put_field(third, 1, 5);
  put_field(third, 1, 5);
  put_field(third, 2, 10);
  put_field(third, 9, halfs);
  Writer attribute;
  put_field(attribute, 1, as_bytes("value"));
  put_field(attribute, 5, third.out);
  Writer node;
  put_field(node, 4, as_bytes("Constant"));
  put_field(node, 5, attribute.out);
  Writer graph;
  put_field(graph, 1, node.out);
  put_field(graph, 2, as_bytes("graph"));
  put_field(graph, 5, first.out);
  put_field(graph, 5, second.out);
  Writer model;
  put_field(model, 1, 8);
  put_field(model, 2, as_bytes("tester"));
  put_field(model, 5, 300);
  put_field(model, 7, graph.out);
  const std::size_t a = place_of(model.out, halfs);
  const std::size_t b = place_of(model.out, raw);
  const std::size_t c = place_of(model.out, packed);
  return {"onnx",
          LayoutFormat::onnx,
          model.out,
          {tensor(a, 50, ElementType::fp16, 10, 10, ""), tensor(b, 96, ElementType::fp32, 24, 24, "w"),
           tensor(c, 28, ElementType::fp32, 28, 28, "b")}};
}

Region picture(std::size_t offset, std::size_t size, ElementType type, std::uint32_t channels, std::size_t row,
               bool big_endian = false, std::size_t slice = 0) {
  return {.offset = offset,
          .size = size,
          .type = type,
          .content = ContentClass::image,
          .big_endian = big_endian,
          .channels = channels,
          .row_size = row,
          .slice_size = slice};
}

LayoutFile pgm() {
  Writer file;
  file.text("P5\n# a comment\n20 10\n4095\n");
  const std::size_t at = file.size();
  file.bytes(noise(400));
  return {"pgm", LayoutFormat::netpbm, file.out, {picture(at, 400, ElementType::uint16, 1, 40, true)}};
}

LayoutFile ppm() {
  Writer file;
  file.text("P6 20 10 255\n");
  const std::size_t at = file.size();
  file.bytes(noise(600));
  return {"ppm", LayoutFormat::netpbm, file.out, {picture(at, 600, ElementType::uint8, 3, 60)}};
}

LayoutFile pam() {
  Writer file;
  file.text("P7\nWIDTH 20\nHEIGHT 10\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n");
  const std::size_t at = file.size();
  file.bytes(noise(800));
  return {"pam", LayoutFormat::netpbm, file.out, {picture(at, 800, ElementType::uint8, 4, 80)}};
}

LayoutFile bmp() {
  Writer file;
  file.text("BM").le(std::uint32_t{54 + 640}).zeros(4).le(std::uint32_t{54}).le(std::uint32_t{40});
  file.le(std::int32_t{21}).le(std::int32_t{-10}).le(std::uint16_t{1}).le(std::uint16_t{24}).zeros(24);
  file.bytes(noise(640));
  return {"bmp", LayoutFormat::bmp, file.out, {picture(54, 640, ElementType::uint8, 3, 64)}};
}

// Two strips side by side, a third elsewhere; 16 bits, big-endian.
LayoutFile tiff() {
  Writer file;
  file.text("MM\0*"sv).be(std::uint32_t{8 + 800 + 20 + 400});
  file.bytes(noise(800)).zeros(20).bytes(noise(400));
  const std::uint32_t lists = static_cast<std::uint32_t>(file.size()) + 2 + 7 * 12 + 4;
  const auto tag = [&](std::uint16_t id, std::uint16_t type, std::uint32_t count, std::uint32_t value) {
    file.be(id).be(type).be(count);
    type == 3 && count == 1 ? file.be(static_cast<std::uint16_t>(value)).zeros(2) : file.be(value);
  };
  file.be(std::uint16_t{7});
  tag(256, 3, 1, 20);
  tag(257, 3, 1, 30);
  tag(258, 3, 1, 16);
  tag(259, 3, 1, 1);
  tag(273, 4, 3, lists);
  tag(277, 3, 1, 1);
  tag(279, 4, 3, lists + 12);
  file.zeros(4);
  for (const std::uint32_t offset : {8U, 408U, 828U}) file.be(offset);
  for (int i = 0; i < 3; ++i) file.be(std::uint32_t{400});
  return {"tiff",
          LayoutFormat::tiff,
          file.out,
          {picture(8, 800, ElementType::uint16, 1, 40, true), picture(828, 400, ElementType::uint16, 1, 40, true)}};
}

LayoutFile dicom(bool with_preamble) {
  Writer file;
  const auto element = [&](std::uint16_t group, std::uint16_t number, std::string_view type, ByteView value) {
    file.le(group).le(number);
    if (!with_preamble) {
      file.le(static_cast<std::uint32_t>(value.size()));
    } else {
      file.text(type);
      if (type == "OW" || type == "SQ") {
        file.zeros(2).le(static_cast<std::uint32_t>(value.size()));
      } else {
        file.le(static_cast<std::uint16_t>(value.size()));
      }
    }
    file.bytes(value);
  };
  const auto number = [&](std::uint16_t id, std::uint16_t value) {
    std::byte bytes[2];
    store_le(Bytes(bytes), value);
    element(0x28, id, "US", bytes);
  };
  if (with_preamble) {
    file.zeros(128).text("DICM");
    element(2, 0x10, "UI", as_bytes("1.2.840.10008.1.2.1\0"sv));
  }
  element(8, 5, "CS", as_bytes("ISO_IR 100"));
  if (with_preamble) {
    // A thumbnail in a sequence of unknown length, whose size must not be taken for the picture's.
    file.le(std::uint16_t{0x88}).le(std::uint16_t{0x200}).text("SQ").zeros(2).le(~std::uint32_t{0});
    file.le(std::uint16_t{0xFFFE}).le(std::uint16_t{0xE000}).le(~std::uint32_t{0});
    number(0x10, 3);
    number(0x11, 3);
    file.le(std::uint16_t{0xFFFE}).le(std::uint16_t{0xE00D}).zeros(4);
    file.le(std::uint16_t{0xFFFE}).le(std::uint16_t{0xE0DD}).zeros(4);
  }
  number(0x02, 1);
  number(0x10, 16);
  number(0x11, 24);
  number(0x100, 16);
  number(0x103, 1);
  element(0x7FE0, 0x10, "OW", noise(768));
  const std::size_t at = file.size() - 768;
  return {with_preamble ? "dicom" : "dicom_bare",
          LayoutFormat::dicom,
          file.out,
          {picture(at, 768, ElementType::int16, 1, 48, false, 768)}};
}

// 24 × 16 × 2 signed pixels of 16 bits behind a header of version 1, big-endian.
LayoutFile nifti() {
  Writer file;
  file.be(std::uint32_t{348}).zeros(36);
  for (const unsigned side : {3U, 24U, 16U, 2U, 1U, 1U, 1U, 1U}) file.be(static_cast<std::uint16_t>(side));
  file.zeros(14).be(std::uint16_t{4}).be(std::uint16_t{16}).zeros(34).be(std::bit_cast<std::uint32_t>(352.0F));
  file.zeros(232).text("n+1\0"sv).zeros(4);
  file.bytes(noise(1536));
  return {"nifti", LayoutFormat::nifti, file.out, {picture(352, 1536, ElementType::int16, 1, 48, true, 768)}};
}

// 10 × 12 × 5 colours behind a header of version 2 and an extension.
LayoutFile second_nifti() {
  Writer file;
  file.le(std::uint32_t{540}).text("n+2\0\r\n\x1A\n"sv).le(std::uint16_t{128}).le(std::uint16_t{24});
  for (const unsigned side : {3U, 10U, 12U, 5U, 1U, 1U, 1U, 1U}) file.le(std::uint64_t{side});
  file.zeros(88).le(std::uint64_t{576}).zeros(400);
  file.bytes(noise(1800));
  return {"nifti2", LayoutFormat::nifti, file.out, {picture(576, 1800, ElementType::uint8, 3, 30, false, 360)}};
}

LayoutFile nrrd() {
  Writer file;
  file.text("NRRD0004\n# a comment\ntype: unsigned short\ndimension: 3\nsizes: 20 10 3\nspacings: 1 1 2\n");
  file.text("endian: big\nencoding: raw\nkey:=value\n\n");
  const std::size_t at = file.size();
  file.bytes(noise(1200));
  return {"nrrd", LayoutFormat::nrrd, file.out, {picture(at, 1200, ElementType::uint16, 1, 40, true, 400)}};
}

LayoutFile colour_nrrd() {
  Writer file;
  file.text("NRRD0004\r\ntype: uchar\r\ndimension: 3\r\nsizes: 3 20 10\r\nencoding: raw\r\n");
  file.text("kinds: RGB-color domain domain\r\n\r\n");
  const std::size_t at = file.size();
  file.bytes(noise(600));
  return {"nrrd_colour", LayoutFormat::nrrd, file.out, {picture(at, 600, ElementType::uint8, 3, 60)}};
}

LayoutFile meta_image(bool is_float) {
  Writer file;
  file.text("ObjectType = Image\nNDims = 3\nBinaryData = True\n");
  file.text(is_float ? "BinaryDataByteOrderMSB = False\n" : "BinaryDataByteOrderMSB = True\n");
  file.text("CompressedData = False\nDimSize = 20 10 3\n");
  file.text(is_float ? "ElementType = MET_FLOAT\n" : "ElementType = MET_SHORT\n").text("ElementDataFile = LOCAL\n");
  const std::size_t at = file.size();
  file.bytes(noise(is_float ? 2400 : 1200));
  return {is_float ? "meta_image_floats" : "meta_image",
          LayoutFormat::meta_image,
          file.out,
          {is_float ? tensor(at, 2400, ElementType::fp32, 800, 80, "")
                    : picture(at, 1200, ElementType::int16, 1, 40, true, 400)}};
}

// A header without data, a picture, a table with a heap, floats.
LayoutFile fits() {
  Writer file;
  const auto header = [&](std::string_view first, const std::vector<std::pair<std::string_view, std::string>>& more) {
    const auto card = [&](std::string text) { file.text(text.append(80 - text.size(), ' ')); };
    const std::size_t begin = file.size();
    card(std::string(first));
    for (const auto& [key, value] : more) {
      std::string text(key);
      text.append(8 - text.size(), ' ').append("= ").append(20 - std::min<std::size_t>(20, value.size()), ' ');
      card(text.append(value).append(" / what it means"));
    }
    card("COMMENT  BITPIX = 8");
    card("END");
    while ((file.size() - begin) % 2880 != 0) card("");
  };
  const auto data = [&](std::size_t size) { file.bytes(noise(size)).zeros((2880 - size % 2880) % 2880); };
  header("SIMPLE  =                    T", {{"BITPIX", "8"}, {"NAXIS", "0"}});
  header("XTENSION= 'IMAGE   '", {{"BITPIX", "16"}, {"NAXIS", "2"}, {"NAXIS1", "30"}, {"NAXIS2", "20"}});
  data(1200);
  header("XTENSION= 'BINTABLE'",
         {{"BITPIX", "8"}, {"NAXIS", "2"}, {"NAXIS1", "14"}, {"NAXIS2", "100"}, {"PCOUNT", "50"}, {"GCOUNT", "1"}});
  data(1450);
  header("XTENSION= 'IMAGE   '",
         {{"BITPIX", "-32"}, {"NAXIS", "3"}, {"NAXIS1", "5"}, {"NAXIS2", "6"}, {"NAXIS3", "7"}});
  data(840);
  Region floats = tensor(6 * 2880, 840, ElementType::fp32, 120, 20, "");
  floats.big_endian = true;
  Region table = picture(4 * 2880, 1400, ElementType::uint8, 1, 0);
  table.content = ContentClass::binary;
  const auto text = [](std::size_t block) {
    Region region = picture(block * 2880, 2880, ElementType::uint8, 1, 0);
    region.content = ContentClass::text;
    return region;
  };
  return {
      "fits",
      LayoutFormat::fits,
      file.out,
      {text(0), text(1), picture(2 * 2880, 1200, ElementType::int16, 1, 60, true), text(3), table, text(5), floats}};
}

Region sound(std::size_t offset, std::size_t size, ElementType type, std::uint32_t channels, bool big_endian) {
  return {.offset = offset,
          .size = size,
          .type = type,
          .content = ContentClass::audio,
          .big_endian = big_endian,
          .channels = channels,
          .row_size = channels * content::element_size(type)};
}

LayoutFile wav() {
  Writer file;
  file.text("RIFF").le(std::uint32_t{0}).text("WAVEfmt ").le(std::uint32_t{16});
  file.le(std::uint16_t{1}).le(std::uint16_t{2}).zeros(10).le(std::uint16_t{16});
  file.text("LIST").le(std::uint32_t{5}).zeros(6);
  file.text("data").le(std::uint32_t{800}).bytes(noise(800)).text("tail");
  return {"wav", LayoutFormat::wav, file.out, {sound(file.size() - 804, 800, ElementType::int16, 2, false)}};
}

LayoutFile aiff() {
  Writer file;
  file.text("FORM").be(std::uint32_t{0}).text("AIFFCOMM").be(std::uint32_t{18});
  file.be(std::uint16_t{1}).be(std::uint32_t{200}).be(std::uint16_t{24}).zeros(10);
  file.text("SSND").be(std::uint32_t{608}).zeros(8).bytes(noise(600));
  return {"aiff", LayoutFormat::aiff, file.out, {sound(file.size() - 600, 600, ElementType::int24, 1, true)}};
}

}  // namespace

Buffer zip_of(const std::vector<std::pair<std::string, Buffer>>& members, bool aligned, bool zip64) {
  constexpr std::uint32_t kElsewhere = 0xFFFFFFFF;
  Writer file;
  Writer directory;
  for (const auto& [name, bytes] : members) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const auto header = static_cast<std::uint32_t>(file.size());
    file.text("PK\3\4").zeros(14).le(size).le(size).le(static_cast<std::uint16_t>(name.size()));
    const std::size_t padding = aligned ? (64 - (file.size() + 2 + name.size()) % 64) % 64 : 0;
    file.le(static_cast<std::uint16_t>(padding)).text(name).zeros(padding).bytes(bytes);
    directory.text("PK\1\2").zeros(16).le(zip64 ? kElsewhere : size).le(zip64 ? kElsewhere : size);
    directory.le(static_cast<std::uint16_t>(name.size())).le(static_cast<std::uint16_t>(zip64 ? 28 : 0)).zeros(10);
    directory.le(zip64 ? kElsewhere : header).text(name);
    if (zip64) {
      directory.le(std::uint16_t{1}).le(std::uint16_t{24}).le(std::uint64_t{size}).le(std::uint64_t{size});
      directory.le(std::uint64_t{header});
    }
  }
  const std::size_t at = file.size();
  file.bytes(directory.out);
  if (zip64) {
    const std::size_t record = file.size();
    file.text("PK\6\6").zeros(36).le(std::uint64_t{directory.size()}).le(std::uint64_t{at});
    file.text("PK\6\7").zeros(4).le(std::uint64_t{record}).zeros(4);
  }
  file.text("PK\5\6").zeros(6).le(static_cast<std::uint16_t>(members.size()));
  file.le(static_cast<std::uint32_t>(directory.size())).le(zip64 ? kElsewhere : static_cast<std::uint32_t>(at));
  file.le(std::uint16_t{7}).text("comment");
  return file.out;
}

std::vector<LayoutFile> layout_files() {
  return {safetensors(),
          gguf(2),
          gguf(3),
          npy_file(),
          fortran_npy_file(),
          npz(),
          torch(false),
          torch(true),
          onnx(),
          pgm(),
          ppm(),
          pam(),
          bmp(),
          tiff(),
          dicom(true),
          dicom(false),
          nifti(),
          second_nifti(),
          nrrd(),
          colour_nrrd(),
          meta_image(false),
          meta_image(true),
          fits(),
          wav(),
          aiff()};
}

}  // namespace mmh::test
