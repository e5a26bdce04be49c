#pragma once
// Magic numbers: formats that say what they are.

#include <optional>
#include <string_view>

#include "mmh/content/classify.h"

namespace mmh::content {

/// The class that the first bytes of a file name, or nothing. What a container holds may differ from what its name
/// promises (a PDF or ZIP of stored pieces): such formats give nothing here and are left to the statistics.
std::optional<ContentClass> class_by_magic(ByteView head);

/// Whether `head` begins as ONNX models do.
bool is_onnx(ByteView head);

/// Whether `head` begins as a NIfTI file of header and data, an NRRD file or a MetaImage file of its own uncompressed
/// data does.
bool is_nifti(ByteView head);
bool is_nrrd(ByteView head);
bool is_meta_image(ByteView head);

/// A file in a tar archive: what the head holds of it.
struct TarMember {
  ByteView content;
  std::string_view name;
};
/// The first member of a tar archive that holds anything, if `head` is one's: its class stands for all of the archive.
std::optional<TarMember> first_tar_member(ByteView head);

}  // namespace mmh::content
