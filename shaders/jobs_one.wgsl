// A dispatch for one job.
const JOBS: u32 = 1u;
