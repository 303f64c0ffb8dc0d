// Invocations of a workgroup. llvmpipe computes all of a workgroup, whoever stores what, so that a small fill pays for
// a large one.
const WORKGROUP_SIZE: u32 = 128u;
