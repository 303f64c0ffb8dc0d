// Invocations of a workgroup: half of a GPU's, each of which makes twice as much. llvmpipe computes all of a workgroup,
// whoever stores what, so that small fills pay for a large one.
const WORKGROUP_SIZE: u32 = 128u;
