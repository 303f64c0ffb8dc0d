// What comes of each pair, the cosine's first.
struct CosSin {
    cosine: Floats,
    sine: Floats,
}
