#include "input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <utility>

#include "output.h"

namespace mmh::cli {

namespace {
// Of paths of 4,096 bytes there are 65,536 in it; of usual ones some millions.
constexpr std::size_t kListSizeMax = std::size_t{256} << 20;

ssize_t read_some(int fd, char* out, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(fd, out, size);
    if (count >= 0 || errno != EINTR) return count;
  }
}
}  // namespace

Result<InputFile> InputFile::open(const std::string& path, int standard_input) {
  if (path == "-") {
    MMH_TRY(require_data(standard_input, "standard input"));
    return InputFile(standard_input, false);
  }
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(errno_error(errno, fmt::format("cannot open '{}'", printable(path))));
  return InputFile(fd, true);
}

InputFile::InputFile(InputFile&& other) noexcept : fd_(other.fd_), owned_(std::exchange(other.owned_, false)) {}

InputFile::~InputFile() {
  if (owned_) ::close(fd_);
}

Result<> require_data(int fd, std::string_view what) {
  if (::isatty(fd) != 0) return fail(Errc::usage, fmt::format("{} is a terminal; send the data through a pipe", what));
  return {};
}

Result<> require_file(std::string_view path) {
  if (path == "-")
    return fail(Errc::usage, "a stream cannot be changed in place; name a file (./- where it is called so)");
  return {};
}

bool has_data(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) || S_ISREG(info.st_mode));
}

Result<std::vector<std::string>> read_path_list(const std::string& path, bool null_terminated, int standard_input) {
  MMH_LET(const InputFile input, InputFile::open(path, standard_input));
  std::string text;
  std::array<char, 65536> piece;
  for (;;) {
    const ssize_t count = read_some(input.fd(), piece.data(), piece.size());
    if (count < 0) return fail(errno_error(errno, fmt::format("cannot read '{}'", printable(path))));
    if (count == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > kListSizeMax) {
      return fail(Errc::limit, fmt::format("'{}' is longer than 256 MiB; name directories instead", printable(path)));
    }
  }
  std::vector<std::string> paths;
  const char end = null_terminated ? '\0' : '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = std::min(rest.find(end), rest.size());
    if (length > 0) paths.emplace_back(rest.substr(0, length));
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return paths;
}

bool has_controlling_terminal() {
  const int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

Result<char> ask_on_terminal(std::string_view question) {
  const int fd = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail(Errc::usage, "there is no terminal to ask on");
  const int error = write_all(fd, question);
  char answer = '\0';
  bool first = true;
  ssize_t count = 0;
  for (char letter = '\0'; error == 0 && letter != '\n'; first = false) {
    // Not repeated after a signal: Ctrl-C is an answer too.
    count = ::read(fd, &letter, 1);
    if (count <= 0) break;
    if (first && letter != '\n') answer = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  const int read_error = errno;
  ::close(fd);
  if (error != 0) return fail(errno_error(error, "cannot write to the terminal"));
  if (count < 0 && read_error == EINTR) return fail(Errc::cancelled, "interrupted");
  if (count <= 0) return fail(Errc::io, "the terminal gave no answer");
  return answer;
}

}  // namespace mmh::cli
