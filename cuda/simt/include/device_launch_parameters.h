// As CUDA's header of this name, which programs name beside cuda_runtime.h.
#pragma once

#include "cuda_runtime.h"
