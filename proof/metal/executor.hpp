// executor.hpp: what a kernel's object file and the executor know of each other.
#pragma once

#include <metal_stdlib>

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

// A kernel: runs one workgroup. The fields of `place` that differ between invocations are not set.
typedef void (*Kernel)(const Binding* bindings, Place& place);

// The place of an invocation.
inline void move_to(Place& place, uint size, uint local) {
    place.thread_index_in_threadgroup = local;
    place.thread_position_in_grid.x = place.threadgroup_position_in_grid.x * size + local;
    place.thread_position_in_grid.y = place.threadgroup_position_in_grid.y;
    place.thread_position_in_grid.z = place.threadgroup_position_in_grid.z;
}

// Whether invocations, workgroups and those between two barriers run in the opposite order.
extern bool backward;

// Runs the invocations of a workgroup side by side, each from barrier to barrier.
void side_by_side(Invocation invocation, uint size, const Binding* bindings, const Place& place);

} // namespace executor
