// The twin of result_dropped.cc.
#include "mmh/base/result.h"

mmh::Result<> may_fail();
mmh::Result<> caller() {
  MMH_TRY(may_fail().in("caller"));
  return {};
}
