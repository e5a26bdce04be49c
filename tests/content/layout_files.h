#pragma once
// Writers of small files of every format that find_layout() reads, each with the regions that are in it.

#include <cstdint>
#include <string>
#include <vector>

#include "mmh/content/layout.h"

namespace mmh::test {

/// A file, and what is to be found in it.
struct LayoutFile {
  std::string name;
  content::LayoutFormat format;
  Buffer bytes;
  std::vector<content::Region> regions;
  bool head_is_enough = true;  ///< A head that holds the headers tells all regions.
};

/// At least one file of each format with a header, a few KiB each.
std::vector<LayoutFile> layout_files();

/// A ZIP archive of stored members. `aligned`: their bytes begin at multiples of 64, as PyTorch has it.
Buffer zip_of(const std::vector<std::pair<std::string, Buffer>>& members, bool aligned, bool zip64 = false);

}  // namespace mmh::test
