use std::time::Instant;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let preset = std::env::args().nth(2).unwrap();
    let t = Instant::now();
    let model = seedbed_model::Model::read(path.as_ref()).unwrap();
    println!("read {:?}", t.elapsed());
    let t = Instant::now();
    let rules = seedbed_model::Rules::preset(&preset).unwrap();
    println!("rules {:?}", t.elapsed());
    let t = Instant::now();
    let plan = seedbed_model::Plan::new(&model, None, &rules, None).unwrap();
    println!("plan {:?}", t.elapsed());
    let t = Instant::now();
    let _ = plan.check();
    let n: usize = plan.entries.iter().map(|e| e.description().len()).sum();
    println!("describe {:?} {n}", t.elapsed());
    let t = Instant::now();
    let n: usize = plan.tensors().filter_map(|t| t.moments()).count();
    println!("moments {:?} {n}", t.elapsed());
}
