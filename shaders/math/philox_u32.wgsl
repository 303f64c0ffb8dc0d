// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11)
// for devices without 64-bit integers. The counter's upper two words are zero (docs/CONTRACT.md,
// section 1).

const PHILOX_M0: u32 = 0xD2511F53u;
const PHILOX_M1: u32 = 0xCD9E8D57u;
const PHILOX_W0: u32 = 0x9E3779B9u;
const PHILOX_W1: u32 = 0xBB67AE85u;

fn philox_round(c: vec4<u32>, k: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(
        multiply_high(PHILOX_M1, c.z) ^ c.y ^ k.x,
        PHILOX_M1 * c.z,
        multiply_high(PHILOX_M0, c.x) ^ c.w ^ k.y,
        PHILOX_M0 * c.x,
    );
}

// The four words of one block. Unrolled: a checked shader module pays for every turn of a loop.
fn philox4x32_10(counter: vec2<u32>, seed: vec2<u32>) -> vec4<u32> {
    let weyl = vec2<u32>(PHILOX_W0, PHILOX_W1);
    var k = seed;
    var c = philox_round(vec4<u32>(counter, 0u, 0u), k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    c = philox_round(c, k);
    k += weyl;
    return philox_round(c, k);
}
