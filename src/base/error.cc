#include "mmh/base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "mmh/base/check.h"

namespace mmh {

std::string_view errc_name(Errc code) {
  switch (code) {
    case Errc::usage:
      return "usage";
    case Errc::not_found:
      return "not_found";
    case Errc::exists:
      return "exists";
    case Errc::io:
      return "io";
    case Errc::no_space:
      return "no_space";
    case Errc::permission:
      return "permission";
    case Errc::corrupt:
      return "corrupt";
    case Errc::unsupported:
      return "unsupported";
    case Errc::limit:
      return "limit";
    case Errc::changed:
      return "changed";
    case Errc::unsafe:
      return "unsafe";
    case Errc::cancelled:
      return "cancelled";
  }
  MMH_CHECK(false);
}

namespace {
Errc code_of(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
      return Errc::exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::permission;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EFBIG:
    case ENAMETOOLONG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Errc::limit;
    case ECANCELED:
      return Errc::cancelled;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::unsupported;
    default:
      return Errc::io;
  }
}
}  // namespace

Error errno_error(int errno_value, std::string_view action) {
  std::string what(action);
  what += ": ";
  what += std::strerror(errno_value);
  return Error{code_of(errno_value), std::move(what)};
}

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "mmh: internal error at %s:%d: %s; please report this\n", file, line, condition);
  std::abort();
}

}  // namespace mmh
