// simd/simd.h: the names of vectors that naga's Metal text uses without their namespace.
#pragma once

#include <metal_stdlib>

using metal::uint2;
