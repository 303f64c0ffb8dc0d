// executor.hpp: what a kernel's object file and the executor know of each other.
#pragma once

#include <metal_stdlib>

// Around functions that are all inlined.
#if defined(__clang__)
#define INLINE_ALL _Pragma("clang attribute push(__attribute__((always_inline)), apply_to = function)")
#define INLINE_END _Pragma("clang attribute pop")
#else
#define INLINE_ALL
#define INLINE_END
#endif

namespace executor {

struct Binding {
    unsigned char* data;
    uint32_t size;
};

// Where an invocation runs. The names are those of Metal's attributes.
struct Place {
    metal::uint3 thread_position_in_grid;
    metal::uint3 threadgroup_position_in_grid;
    metal::uint3 threadgroups_per_grid;
    uint thread_index_in_threadgroup;
};

// Called for each invocation of a workgroup.
typedef void (*Invocation)(const Binding* bindings, const Place& place);

// A kernel: runs one workgroup. The fields of `group` that differ between invocations are not set.
typedef void (*Kernel)(const Binding* bindings, const Place& group);

// The place of an invocation.
inline Place of_invocation(const Place& group, uint size, uint local) {
    Place place = group;
    place.thread_index_in_threadgroup = local;
    place.thread_position_in_grid = group.threadgroup_position_in_grid;
    place.thread_position_in_grid.x = group.threadgroup_position_in_grid.x * size + local;
    return place;
}

// Whether invocations, workgroups and those between two barriers run in the opposite order.
extern bool backward;

// Runs the invocations of a workgroup side by side, each from barrier to barrier.
void side_by_side(Invocation invocation, uint size, const Binding* bindings, const Place& group);

} // namespace executor
