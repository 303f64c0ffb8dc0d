// A dispatch for many jobs: 12 KiB of parameters, which every device can bind.
const JOBS: u32 = 64u;
