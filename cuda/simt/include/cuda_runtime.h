// Stands in for CUDA's header of this name when the simulator's include folder comes first.
#pragma once

#define SIMT_SIMULATOR  // for code that has a model of its own here

#include "simt/atomics.h"
#include "simt/device_math.h"
#include "simt/kernel_language.h"
#include "simt/runtime_api.h"
#include "simt/vector_types.h"
