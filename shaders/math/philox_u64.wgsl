// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11)
// for devices with SHADER_INT64: the same words as philox_u32.wgsl from one wide multiplication.
//
// The state stays in 64-bit lanes from start to end and only the low half of a lane counts. So a
// product's low word needs no operation of its own: the next multiplication's mask takes it.

const PHILOX_M0: u64 = 0xD2511F53lu;
const PHILOX_M1: u64 = 0xCD9E8D57lu;
const PHILOX_W0: u64 = 0x9E3779B9lu;
const PHILOX_W1: u64 = 0xBB67AE85lu;

struct PhiloxState {
    x: u64,
    y: u64,
    z: u64,
    w: u64,
}

fn philox_round(c: PhiloxState, k0: u64, k1: u64) -> PhiloxState {
    let p0 = PHILOX_M0 * (c.x & 0xFFFFFFFFlu);
    let p1 = PHILOX_M1 * (c.z & 0xFFFFFFFFlu);
    return PhiloxState((p1 >> 32u) ^ c.y ^ k0, p1, (p0 >> 32u) ^ c.w ^ k1, p0);
}

// The four words of one block. Unrolled: a checked shader module pays for every turn of a loop.
fn philox4x32_10(counter: vec2<u32>, seed: vec2<u32>) -> vec4<u32> {
    let k0 = u64(seed.x);
    let k1 = u64(seed.y);
    var c = PhiloxState(u64(counter.x), u64(counter.y), 0lu, 0lu);
    c = philox_round(c, k0, k1);
    c = philox_round(c, k0 + PHILOX_W0, k1 + PHILOX_W1);
    c = philox_round(c, k0 + 2lu * PHILOX_W0, k1 + 2lu * PHILOX_W1);
    c = philox_round(c, k0 + 3lu * PHILOX_W0, k1 + 3lu * PHILOX_W1);
    c = philox_round(c, k0 + 4lu * PHILOX_W0, k1 + 4lu * PHILOX_W1);
    c = philox_round(c, k0 + 5lu * PHILOX_W0, k1 + 5lu * PHILOX_W1);
    c = philox_round(c, k0 + 6lu * PHILOX_W0, k1 + 6lu * PHILOX_W1);
    c = philox_round(c, k0 + 7lu * PHILOX_W0, k1 + 7lu * PHILOX_W1);
    c = philox_round(c, k0 + 8lu * PHILOX_W0, k1 + 8lu * PHILOX_W1);
    c = philox_round(c, k0 + 9lu * PHILOX_W0, k1 + 9lu * PHILOX_W1);
    return vec4<u32>(u32(c.x), u32(c.y), u32(c.z), u32(c.w));
}
