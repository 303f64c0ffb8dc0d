// The sum of the lanes of each column, into the first: the first half plus the second, until one is left.
fn sum_lanes(local: u32) {
    for (var half = LANES / 2u * PANEL; half >= PANEL; half /= 2u) {
        workgroupBarrier();
        if local < half {
            lanes[local] = keep(lanes[local] + lanes[local + half]);
        }
    }
    workgroupBarrier();
}
