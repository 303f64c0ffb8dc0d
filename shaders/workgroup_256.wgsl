// Invocations of a workgroup: whole waves of every GPU, and as many as every device takes.
const WORKGROUP_SIZE: u32 = 256u;
