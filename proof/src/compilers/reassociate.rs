//! A compiler pass over SPIR-V that reassociates sums and products wherever WGSL permits it. A real compiler does so
//! where its heuristics find a gain, so this pass is the harshest of those compilers.

use std::collections::HashMap;

const HEADER: usize = 5;
/// The word of the header that is above all ids.
const BOUND: usize = 3;
const ADD: u32 = 5 << 16 | 129; // OpFAdd, five words: the type, the result, two operands
const SUB: u32 = 5 << 16 | 131;
const MUL: u32 = 5 << 16 | 133;

/// `(p + q) + b` becomes `p + (q + b)`, `a + (p + q)` becomes `(a + p) + q`, and `(p - q) + b` becomes `p - (q - b)`.
/// Products are treated like sums.
pub fn reassociate(module: &[u32]) -> Vec<u32> {
    let mut defined = HashMap::new();
    for instruction in instructions(module) {
        if let &[code @ (ADD | SUB | MUL), _, result, a, b] = instruction {
            defined.insert(result, (code, a, b));
        }
    }
    let mut new = module[..HEADER.min(module.len())].to_vec();
    for instruction in instructions(module) {
        let &[code @ (ADD | MUL), kind, result, a, b] = instruction else {
            new.extend(instruction);
            continue;
        };
        let fresh = new[BOUND];
        let (first, second) = match (defined.get(&a), defined.get(&b)) {
            (Some(&(inner, p, q)), _) if inner == code => ((code, q, b), (code, p, fresh)),
            (_, Some(&(inner, p, q))) if inner == code => ((code, a, p), (code, fresh, q)),
            (Some(&(SUB, p, q)), _) if code == ADD => ((SUB, q, b), (SUB, p, fresh)),
            _ => {
                new.extend(instruction);
                continue;
            }
        };
        new[BOUND] += 1;
        new.extend([first.0, kind, fresh, first.1, first.2, second.0, kind, result, second.1, second.2]);
    }
    new
}

fn instructions(module: &[u32]) -> impl Iterator<Item = &[u32]> {
    let mut rest = module.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = (*rest.first()? >> 16) as usize;
        let (instruction, after) = rest.split_at_checked(length.max(1))?;
        rest = after;
        Some(instruction)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_products_change_their_order() {
        let header = [0x0723_0203, 0x1_0300, 0, 20, 0];
        let module = |instructions: &[[u32; 5]], bound| {
            let mut words = header.to_vec();
            words[BOUND] = bound;
            words.extend(instructions.as_flattened());
            words
        };
        for (before, after) in [
            ([ADD, 1, 11, 10, 4], [[ADD, 1, 20, 3, 4], [ADD, 1, 11, 2, 20]]),
            ([ADD, 1, 11, 4, 10], [[ADD, 1, 20, 4, 2], [ADD, 1, 11, 20, 3]]),
        ] {
            let inner = [ADD, 1, 10, 2, 3];
            assert_eq!(
                reassociate(&module(&[inner, before], 20)),
                module(&[[inner].as_slice(), &after].concat(), 21)
            );
        }
        let difference = [SUB, 1, 10, 2, 3];
        assert_eq!(
            reassociate(&module(&[difference, [ADD, 1, 11, 10, 4]], 20)),
            module(&[difference, [SUB, 1, 20, 3, 4], [SUB, 1, 11, 2, 20]], 21)
        );
        // A product in a sum, and anything that is no sum or product, stay.
        let stays = module(&[[MUL, 1, 10, 2, 3], [ADD, 1, 11, 10, 4], [SUB, 1, 12, 11, 4]], 20);
        assert_eq!(reassociate(&stays), stays);
    }
}
