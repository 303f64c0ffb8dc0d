// The entry point of every fill: one invocation makes one block of four elements.
const WORKGROUP_SIZE: u32 = 256u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.y * params.grid_row + id.x;
    if block < params.blocks {
        store_block(block);
    }
}
