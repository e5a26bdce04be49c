// Compiles only for a layer that uses chunking.
#include "mmh/chunking/fastcdc.h"
