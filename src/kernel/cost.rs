//! Operations per invocation, counted in naga's modules. The counts bound the speed of a fill where memory
//! does not, and benches/results/REMARKS.md uses them for devices that nobody measured.

use std::ops::AddAssign;

use naga::front::Typifier;
use naga::proc::ResolveContext;
use naga::{BinaryOperator, Block, Expression, Function, Handle, Module, ScalarKind, Statement};

use super::choices::{FillKernel, Math};
use super::device_class::DeviceClass;
use super::fill::FillVariant;
use super::validate::parse;
use crate::init::kernel_args::Generator;

/// Counts of operations of scalars, whose registers have 32 bits. Not counted are: casts of bits and accesses
/// to components; operations on constants alone; operations that select one half of a 64-bit integer; and
/// 64-bit sums that are the same for all invocations, such as the keys of Philox.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cost {
    /// Float `+ - *`, and built-in functions.
    float: u32,
    /// Integer multiplications.
    multiply: u32,
    /// Other integer operations, comparisons and selections. `keep()` is one operation of this kind.
    integer: u32,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.float += other.float;
        self.multiply += other.multiply;
        self.integer += other.integer;
    }
}

/// The cost of one invocation that writes.
fn cost(module: &Module) -> Cost {
    let [entry] = &module.entry_points[..] else { panic!("one entry point") };
    of_function(module, &entry.function)
}

fn of_function(module: &Module, function: &Function) -> Cost {
    let context = ResolveContext::with_locals(module, &function.local_variables, &function.arguments);
    let mut types = Typifier::new();
    for (handle, _) in function.expressions.iter() {
        types.grow(handle, &function.expressions, &context).unwrap();
    }
    let scalar = |handle| types.get(handle, &module.types).scalar().unwrap_or(naga::Scalar::U32);
    let is_constant = |handle: Handle<Expression>| {
        matches!(function.expressions[handle], Expression::Literal(_) | Expression::Constant(_))
    };
    let of_expression = |handle: Handle<Expression>| {
        let components = types.get(handle, &module.types).components().unwrap_or(1);
        let mut cost = Cost::default();
        match function.expressions[handle] {
            Expression::Binary { left, right, .. } if is_constant(left) && is_constant(right) => {}
            Expression::Binary { op, left, .. } => match (scalar(left), op) {
                (naga::Scalar { kind: ScalarKind::Float, .. }, _) => cost.float = components,
                (_, BinaryOperator::Multiply) => cost.multiply = components,
                (naga::Scalar { width: 8, .. }, op) if op != BinaryOperator::ExclusiveOr => {}
                _ => cost.integer = components,
            },
            Expression::Unary { .. } | Expression::Select { .. } => cost.integer = components,
            Expression::As { kind: ScalarKind::Float, convert: Some(_), .. } => cost.integer = components,
            Expression::Math { .. } => cost.float = components,
            _ => {}
        }
        cost
    };
    of_block(module, &function.body, &of_expression)
}

fn of_block(module: &Module, block: &Block, of_expression: &dyn Fn(Handle<Expression>) -> Cost) -> Cost {
    let mut cost = Cost::default();
    for statement in block {
        match statement {
            Statement::Emit(range) => range.clone().for_each(|handle| cost += of_expression(handle)),
            Statement::Call { function, .. } => cost += of_function(module, &module.functions[*function]),
            Statement::Block(block) => cost += of_block(module, block, of_expression),
            Statement::If { accept, .. } => cost += of_block(module, accept, of_expression),
            Statement::Loop { .. } | Statement::Switch { .. } => panic!("turns are not counted"),
            _ => {}
        }
    }
    cost
}

/// A change of these counts requires a change of the figures in benches/results/REMARKS.md.
#[test]
fn of_a_block_on_a_gpu() {
    let block = |generator, math, int64| {
        let kernel = FillKernel { generator, ..FillKernel::NORMAL };
        cost(&parse(&FillVariant { kernel, int64, math, class: DeviceClass::Gpu }.wgsl()))
    };
    for (generator, math, int64, expected) in [
        (Generator::Words, Math::Portable, true, Cost { float: 0, multiply: 23, integer: 48 }),
        (Generator::Words, Math::Portable, false, Cost { float: 0, multiply: 103, integer: 306 }),
        (Generator::Normal, Math::Portable, true, Cost { float: 106, multiply: 23, integer: 222 }),
        (Generator::Normal, Math::Native, true, Cost { float: 32, multiply: 23, integer: 56 }),
    ] {
        assert_eq!(block(generator, math, int64), expected, "{generator:?}, {math:?}, {int64}");
    }
}
