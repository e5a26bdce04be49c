#pragma once
// PyTorch's pickles, read without running anything: a machine that follows the stack and understands how tensors are
// put together; every other object is a thing of no further meaning.

#include <string>
#include <vector>

#include "layout/reader.h"

namespace mmh::content {

/// A tensor as a pickle describes it.
struct PickledTensor {
  std::string key;           ///< Names the storage.
  ElementType type{};        ///< Of the tensor.
  std::uint64_t offset = 0;  ///< In the storage, in elements.
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> strides;  ///< In elements, as many as dimensions.
  std::string name;                    ///< The key under which it was put into a dictionary, where it was.
};

/// The tensors of the pickle from the reader's position on, up to its end or the first thing that cannot be followed.
std::vector<PickledTensor> read_pickle(LayoutReader& reader);

}  // namespace mmh::content
