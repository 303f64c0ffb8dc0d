// Adds the partial sums of each column into its first one: the first half plus the second half, until one is left.
fn sum_partials(local: u32) {
    for (var half = PARTIALS / 2u * PANEL; half >= PANEL; half /= 2u) {
        workgroupBarrier();
        if local < half {
            partials[local] = keep(partials[local] + partials[local + half]);
        }
    }
    workgroupBarrier();
}
