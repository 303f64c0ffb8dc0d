// executor.cpp: runs programs whose kernels are linked to it. Standard input has jobs, standard output the buffers.
// All numbers are 64 bits, little endian. proof/src/metal/executor.rs writes the jobs:
//
//   job        1 if subnormal numbers count as zeros, 1 if everything runs backward,
//              then buffers, clears, dispatches, each with their number before them, and at last
//              how many of the first buffers are written to standard output
//   buffer     its size, and 256 with its bytes, or the byte of which it is full
//   clear      the buffer's number, the first byte, the number of bytes
//   dispatch   the kernel's number, workgroups in x and y, bindings
//   binding    the buffer's number, the first byte, the number of bytes
#include "executor.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

extern const executor::Kernel seedbed_kernels[];

namespace executor {

bool backward = false;

namespace {

[[noreturn]] void fail(const char* reason) {
    fprintf(stderr, "executor: %s\n", reason);
    exit(1);
}

// --- Invocations side by side: each has a stack of its own. ---

const size_t STACK = 64 << 10;
const uint MAX_SIZE = 256;

struct Fiber {
    ucontext_t context;
    Place place;
    bool done;
};
Fiber fibers[MAX_SIZE];
ucontext_t scheduler;
uint running;
Invocation running_invocation;
const Binding* running_bindings;

void fiber() {
    running_invocation(running_bindings, fibers[running].place);
    fibers[running].done = true;
}

} // namespace

void side_by_side(Invocation invocation, uint size, const Binding* bindings, const Place& group) {
    static unsigned char* stacks = (unsigned char*)malloc(STACK * MAX_SIZE);
    if (size > MAX_SIZE || !stacks) fail("a workgroup is too large");
    running_invocation = invocation;
    running_bindings = bindings;
    for (uint i = 0; i < size; i++) {
        Fiber& f = fibers[i];
        getcontext(&f.context);
        f.context.uc_stack.ss_sp = stacks + STACK * i;
        f.context.uc_stack.ss_size = STACK;
        f.context.uc_link = &scheduler;
        f.place = of_invocation(group, size, i);
        f.done = false;
        makecontext(&f.context, fiber, 0);
    }
    for (bool all_done = false; !all_done;) {
        all_done = true;
        for (uint i = 0; i < size; i++) {
            running = backward ? size - 1 - i : i;
            if (fibers[running].done) continue;
            swapcontext(&scheduler, &fibers[running].context);
            all_done = all_done && fibers[running].done;
        }
    }
}

namespace {

// --- Jobs. ---

bool read_bytes(void* to, size_t size) { return fread(to, 1, size, stdin) == size; }

uint64_t number() {
    uint64_t n;
    if (!read_bytes(&n, sizeof(n))) fail("a job ends too early");
    return n;
}

struct Memory {
    uint64_t buffers;
    Binding* all;
    // A range of a buffer, as the job gives it.
    Binding range() const {
        uint64_t buffer = number(), offset = number(), size = number();
        if (buffer >= buffers || offset > all[buffer].size || size > all[buffer].size - offset)
            fail("a range is not within its buffer");
        return Binding{all[buffer].data + offset, uint32_t(size)};
    }
};

void* allocate(size_t size) {
    void* at = nullptr;
    if (posix_memalign(&at, 256, size) != 0) fail("no memory");
    return at;
}

Binding buffer() {
    uint64_t size = number(), content = number();
    if (size > UINT32_MAX) fail("a buffer is too large");
    // Room for one more vector: the index of a checked access may count an element that a short binding cuts.
    Binding b{(unsigned char*)allocate(size + 16), uint32_t(size)};
    if (content < 256)
        memset(b.data, int(content), size);
    else if (!read_bytes(b.data, size))
        fail("a buffer ends too early");
    return b;
}

void dispatch(const Memory& memory) {
    Kernel run = seedbed_kernels[number()];
    uint x = number(), y = number();
    Binding bindings[8];
    uint64_t count = number();
    if (count > 8) fail("too many bindings");
    for (uint64_t i = 0; i < count; i++) bindings[i] = memory.range();
    Place place{};
    place.threadgroups_per_grid = metal::uint3(x, y, 1);
    for (uint64_t i = 0; i < uint64_t(x) * y; i++) {
        uint64_t group = backward ? uint64_t(x) * y - 1 - i : i;
        place.threadgroup_position_in_grid = metal::uint3(uint(group % x), uint(group / x), 0);
        run(bindings, place);
    }
}

void flush_subnormals(bool flush) {
#if defined(__x86_64__)
    // Bit 15 flushes results, bit 6 reads operands as zeros.
    _mm_setcsr((_mm_getcsr() & ~0x8040u) | (flush ? 0x8040u : 0));
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    fpcr = (fpcr & ~(1ull << 24)) | (flush ? 1ull << 24 : 0);
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
#else
    if (flush) fail("subnormal numbers are not flushed on this processor");
#endif
}

void job(uint64_t flush) {
    flush_subnormals(flush != 0);
    backward = number() != 0;
    Memory memory;
    memory.buffers = number();
    memory.all = (Binding*)allocate(sizeof(Binding) * memory.buffers);
    for (uint64_t i = 0; i < memory.buffers; i++) memory.all[i] = buffer();
    for (uint64_t clears = number(); clears > 0; clears--) {
        Binding cleared = memory.range();
        memset(cleared.data, 0, cleared.size);
    }
    for (uint64_t dispatches = number(); dispatches > 0; dispatches--) dispatch(memory);
    uint64_t outputs = number();
    for (uint64_t i = 0; i < memory.buffers; i++) {
        const Binding& b = memory.all[i];
        if (i < outputs && fwrite(b.data, 1, b.size, stdout) != b.size) fail("nobody reads the buffers");
        free(b.data);
    }
    free(memory.all);
    fflush(stdout);
}

} // namespace
} // namespace executor

extern "C" void seedbed_barrier() {
    using namespace executor;
    swapcontext(&fibers[running].context, &scheduler);
}

int main() {
    uint64_t flush;
    while (executor::read_bytes(&flush, sizeof(flush))) executor::job(flush);
}
