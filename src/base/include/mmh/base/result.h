#pragma once
// Result<T>: a value or an Error, which may not be dropped in silence.

#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include "mmh/base/error.h"

namespace mmh {

/// A T or an Error. Propagate with MMH_TRY and MMH_LET; add the place on the way up with in().
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;

  /// Prefixes an error's message with "PLACE: "; a value passes through.
  Result in(std::string_view place) && {
    if (!this->has_value()) this->error().what.insert(0, std::string(place) + ": ");
    return std::move(*this);
  }
};

/// Makes an error to return: `return fail(Errc::corrupt, "…");`
inline std::unexpected<Error> fail(Errc code, std::string what) {
  return std::unexpected<Error>(Error{code, std::move(what)});
}
/// Passes an existing error on.
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace mmh

#define MMH_CONCAT_INNER(a, b) a##b
#define MMH_CONCAT(a, b) MMH_CONCAT_INNER(a, b)

/// MMH_TRY(expression): returns the error of a Result<> from the enclosing function, or goes on.
#define MMH_TRY(...) MMH_TRY_INNER(MMH_CONCAT(mmh_try_, __COUNTER__), __VA_ARGS__)
#define MMH_TRY_INNER(temporary, ...)                            \
  do {                                                           \
    if (auto temporary = (__VA_ARGS__); !temporary) [[unlikely]] \
      return ::mmh::fail(std::move(temporary).error());          \
  } while (false)

/// MMH_LET(declaration, expression): declares the value of a Result<T>, or returns its error.
#define MMH_LET(declaration, ...) MMH_LET_INNER(MMH_CONCAT(mmh_let_, __COUNTER__), declaration, __VA_ARGS__)
#define MMH_LET_INNER(temporary, declaration, ...)    \
  auto temporary = (__VA_ARGS__);                     \
  if (!temporary) [[unlikely]]                        \
    return ::mmh::fail(std::move(temporary).error()); \
  declaration = *std::move(temporary)
