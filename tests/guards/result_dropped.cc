// Must not compile: a Result is dropped.
#include "mmh/base/result.h"

mmh::Result<> may_fail();
mmh::Result<> caller() {
  may_fail().in("caller");
  return {};
}
