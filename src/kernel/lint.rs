//! A lint of the WGSL: no kernel lets a compiler change a bit. It walks naga's IR.

use std::collections::HashSet;

use naga::{BinaryOperator, Expression, Handle, Module, ScalarKind, TypeInner, UnaryOperator};

use super::params::FillParams;
use super::source::file;
use super::validate::{every_module, parse};

#[test]
fn portable_modules_let_no_compiler_change_a_bit() {
    for module in every_module().filter(|module| module.is_portable) {
        let faults = faults(&module.parse());
        assert!(faults.is_empty(), "{}:\n{}", module.name, faults.join("\n"));
    }
}

#[test]
fn the_lint_finds_what_it_is_for() {
    let native = every_module().find(|module| !module.is_portable).expect("a kernel of built-in functions");
    assert!(!faults(&native.parse()).is_empty());

    let params = "@group(0) @binding(0) var<uniform> params: Params;";
    let prelude = [&FillParams::wgsl(), params, file!("math/keep").text].join("\n");
    for (body, fault) in [
        ("return a * b + c;", "operand of Add is the unkept result of Multiply"),
        ("let p = a * b; return p + c;", "operand of Add is the unkept result of Multiply"),
        ("var p = a * b; return p + c;", "operand of Add is the unkept result of Multiply"),
        ("var p = a; p *= b; return p - c;", "operand of Subtract is the unkept result of Multiply"),
        ("return -(a * b) + c;", "operand of Add is the unkept result of Multiply"),
        ("return select(a * b, c, a < b) + c;", "operand of Add is the unkept result of Multiply"),
        ("return vec2<f32>(a * b, c).x + c;", "operand of Add is the unkept result of Multiply"),
        ("return product(a, b) + c;", "operand of Add is the unkept result of Multiply"),
        ("return plus(a * b, c);", "operand of Add is the unkept result of Multiply"),
        ("return abs(a * b) + c;", "Abs"),
        ("return bitcast<f32>(bitcast<u32>(a * b)) + c;", "operand of Add is the unkept result of Multiply"),
        (
            "return bitcast<f32>(bitcast<u32>(a * b) ^ 0u) + c;",
            "operand of Add is the unkept result of Multiply",
        ),
        ("shared_sum = a * b; return shared_sum + c;", "workgroup memory gets the unkept result of Multiply"),
        ("return a / b;", "Divide"),
        ("return sqrt(a);", "Sqrt"),
        ("return f32(bitcast<u32>(a));", "may round"),
        ("return f32(bitcast<i32>(a));", "may round"),
        ("return f32(bitcast<i32>(a) >> 7u);", "may round"),
        ("return f32(i32(a));", "may round"),
        ("return fma(a, b, c);", "Fma"),
    ] {
        let text = format!(
            "{prelude}
            var<workgroup> shared_sum: f32;
            fn product(a: f32, b: f32) -> f32 {{ return a * b; }}
            fn plus(a: f32, b: f32) -> f32 {{ return a + b; }}
            fn f(a: f32, b: f32, c: f32) -> f32 {{ {body} }}"
        );
        let faults = faults(&parse(&text));
        assert!(faults.iter().any(|f| f.contains(fault)), "{body}: {faults:?}");
    }
    for body in [
        "return keep(keep(a * b) + c) - a;",
        "return f32(bitcast<u32>(a) & 0xFFFFFFu);",
        "return f32(select(32 - (bitcast<i32>(a) >> 23u), 0, a < b));",
    ] {
        let right = format!("{prelude} fn f(a: f32, b: f32, c: f32) -> f32 {{ {body} }}");
        assert_eq!(faults(&parse(&right)), Vec::<String>::new(), "{body}");
    }
}

/// What a compiler could turn into other bits, in the whole module.
fn faults(module: &Module) -> Vec<String> {
    let mut faults = Vec::new();
    for function in functions(module) {
        let lint = Lint { module, function };
        for (_, expression) in function.expressions.iter() {
            lint.check(expression, &mut faults);
        }
        // What another invocation, or a later statement, loads again counts as kept.
        visit(&function.body, &mut |statement| {
            if let naga::Statement::Store { pointer, value } = *statement
                && lint.is_workgroup(pointer)
                && let Some(source) = lint.unkept(value, &mut Seen::new())
            {
                let name = function.name.as_deref().unwrap_or("?");
                faults.push(format!("{name}: workgroup memory gets the unkept result of {source:?}"));
            }
        });
    }
    faults
}

fn functions(module: &Module) -> impl Iterator<Item = &naga::Function> {
    module.functions.iter().map(|(_, f)| f).chain(module.entry_points.iter().map(|e| &e.function))
}

/// Values of functions that a search has been to.
type Seen = HashSet<(*const naga::Function, Handle<Expression>)>;

struct Lint<'a> {
    module: &'a Module,
    function: &'a naga::Function,
}

impl Lint<'_> {
    fn check(&self, expression: &Expression, faults: &mut Vec<String>) {
        let name = self.function.name.as_deref().unwrap_or("?");
        match *expression {
            Expression::Binary { op, left, right } if self.is_float(left) => {
                use BinaryOperator::{Add, Divide, Modulo, Multiply, Subtract};
                if matches!(op, Divide | Modulo) {
                    faults.push(format!("{name}: {op:?} is not correctly rounded everywhere"));
                }
                if matches!(op, Add | Subtract | Multiply | Divide | Modulo) {
                    for operand in [left, right] {
                        if let Some(source) = self.unkept(operand, &mut Seen::new()) {
                            faults.push(format!(
                                "{name}: an operand of {op:?} is the unkept result of {source:?}"
                            ));
                        }
                    }
                }
            }
            // Integer built-ins are exact, bitcasts too; of floats, none is allowed.
            Expression::Math { fun, arg, .. } if self.is_float(arg) => {
                faults.push(format!("{name}: the built-in {fun:?} may differ between devices"));
            }
            Expression::Derivative { .. } => faults.push(format!("{name}: a derivative")),
            // An inexact conversion rounds as the device likes. From integers the shaders convert only
            // what is small enough to be exact; to integers, nothing.
            Expression::As { expr, kind, convert: Some(_) }
                if self.is_float(expr)
                    || (kind == ScalarKind::Float && self.magnitude(expr).is_none_or(|m| m > 1 << 24)) =>
            {
                faults.push(format!("{name}: a conversion {expression:?} may round"));
            }
            _ => {}
        }
    }

    /// The float operation whose result this value is, unless it went through `keep()` on the way.
    fn unkept(&self, value: Handle<Expression>, seen: &mut Seen) -> Option<BinaryOperator> {
        // A variable that is made of itself adds nothing the second time.
        if !seen.insert((std::ptr::from_ref(self.function), value)) {
            return None;
        }
        match self.function.expressions[value] {
            Expression::Binary { op, left, .. } if self.is_float(left) => Some(op),
            // An integer operation separates, if it is one that a compiler can't see through: `keep()`'s
            // own has an operand that only the run knows.
            Expression::Binary { left, right, .. } => {
                if self.is_unknown(left) || self.is_unknown(right) {
                    None
                } else {
                    self.unkept(left, seen).or_else(|| self.unkept(right, seen))
                }
            }
            Expression::Unary { op: UnaryOperator::Negate | UnaryOperator::BitwiseNot, expr }
            | Expression::As { expr, .. }
            | Expression::Splat { value: expr, .. }
            | Expression::Swizzle { vector: expr, .. }
            | Expression::Access { base: expr, .. }
            | Expression::AccessIndex { base: expr, .. } => self.unkept(expr, seen),
            Expression::Select { accept, reject, .. } => {
                self.unkept(accept, seen).or_else(|| self.unkept(reject, seen))
            }
            Expression::Compose { ref components, .. } => {
                components.iter().find_map(|&c| self.unkept(c, seen))
            }
            Expression::Load { pointer } => {
                self.stored(pointer).into_iter().find_map(|v| self.unkept(v, seen))
            }
            Expression::CallResult(callee) => {
                let callee = Lint { module: self.module, function: &self.module.functions[callee] };
                callee.returned().into_iter().find_map(|v| callee.unkept(v, seen))
            }
            Expression::FunctionArgument(index) => {
                self.passed(index).into_iter().find_map(|(caller, v)| caller.unkept(v, seen))
            }
            _ => None,
        }
    }

    /// Whether a pointer leads to workgroup memory.
    fn is_workgroup(&self, mut pointer: Handle<Expression>) -> bool {
        loop {
            match self.function.expressions[pointer] {
                Expression::GlobalVariable(variable) => {
                    break self.module.global_variables[variable].space == naga::AddressSpace::WorkGroup;
                }
                Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => pointer = base,
                _ => break false,
            }
        }
    }

    /// Whether a value comes from the parameter block's `zero`.
    fn is_unknown(&self, value: Handle<Expression>) -> bool {
        match self.function.expressions[value] {
            Expression::Load { pointer } => {
                let Expression::AccessIndex { base, index } = self.function.expressions[pointer] else {
                    return false;
                };
                let Expression::GlobalVariable(global) = self.function.expressions[base] else {
                    return false;
                };
                let TypeInner::Struct { ref members, .. } =
                    self.module.types[self.module.global_variables[global].ty].inner
                else {
                    return false;
                };
                members[index as usize].name.as_deref() == Some("zero")
            }
            Expression::Compose { ref components, .. } => components.iter().all(|&c| self.is_unknown(c)),
            Expression::Splat { value, .. } => self.is_unknown(value),
            _ => false,
        }
    }

    /// Every value that any statement stores into a local variable.
    fn stored(&self, pointer: Handle<Expression>) -> Vec<Handle<Expression>> {
        let local = |mut pointer| loop {
            match self.function.expressions[pointer] {
                Expression::LocalVariable(variable) => return Some(variable),
                Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => pointer = base,
                _ => return None,
            }
        };
        let Some(variable) = local(pointer) else { return Vec::new() };
        let mut values: Vec<_> = self.function.local_variables[variable].init.into_iter().collect();
        visit(&self.function.body, &mut |statement| {
            if let naga::Statement::Store { pointer, value } = *statement
                && local(pointer) == Some(variable)
            {
                values.push(value);
            }
        });
        values
    }

    fn returned(&self) -> Vec<Handle<Expression>> {
        let mut values = Vec::new();
        visit(&self.function.body, &mut |statement| {
            if let naga::Statement::Return { value: Some(value) } = *statement {
                values.push(value);
            }
        });
        values
    }

    /// What the callers of this function pass as an argument.
    fn passed(&self, index: u32) -> Vec<(Lint<'_>, Handle<Expression>)> {
        let mut values = Vec::new();
        for function in functions(self.module) {
            visit(&function.body, &mut |statement| {
                if let naga::Statement::Call { function: callee, ref arguments, .. } = *statement
                    && std::ptr::eq(&self.module.functions[callee], self.function)
                {
                    values.push((Lint { module: self.module, function }, arguments[index as usize]));
                }
            });
        }
        values
    }

    fn is_float(&self, value: Handle<Expression>) -> bool {
        self.scalar(value) == Some(ScalarKind::Float)
    }

    /// The most that an integer can be away from 0, where its expression bounds it.
    fn magnitude(&self, value: Handle<Expression>) -> Option<u64> {
        use BinaryOperator::{Add, And, ShiftRight, Subtract};
        match self.function.expressions[value] {
            Expression::Literal(naga::Literal::U32(x)) => Some(x.into()),
            Expression::Literal(naga::Literal::I32(x)) => Some(x.unsigned_abs().into()),
            Expression::Splat { value, .. } => self.magnitude(value),
            Expression::Compose { ref components, .. } => {
                components.iter().map(|&c| self.magnitude(c)).try_fold(0, |most, m| Some(most.max(m?)))
            }
            // Between 32-bit integers the bits stay.
            Expression::As { expr, convert: None | Some(4), .. } if !self.is_float(expr) => {
                self.magnitude(expr)
            }
            Expression::Select { accept, reject, .. } => {
                Some(self.magnitude(accept)?.max(self.magnitude(reject)?))
            }
            // A mask bounds what it leaves.
            Expression::Binary { op: And, left, right } => {
                [left, right].into_iter().filter_map(|v| self.magnitude(v)).min()
            }
            Expression::Binary { op: Add | Subtract, left, right } => {
                Some(self.magnitude(left)? + self.magnitude(right)?)
            }
            Expression::Binary { op: ShiftRight, right, .. } => {
                Some((1 << 32) >> self.magnitude(right)?.min(32))
            }
            _ => None,
        }
    }

    fn scalar(&self, value: Handle<Expression>) -> Option<ScalarKind> {
        let mut typifier = naga::front::Typifier::new();
        let context = naga::proc::ResolveContext {
            constants: &self.module.constants,
            overrides: &self.module.overrides,
            types: &self.module.types,
            special_types: &self.module.special_types,
            global_vars: &self.module.global_variables,
            local_vars: &self.function.local_variables,
            functions: &self.module.functions,
            arguments: &self.function.arguments,
        };
        typifier.grow(value, &self.function.expressions, &context).unwrap();
        typifier.get(value, &self.module.types).scalar_kind()
    }
}

fn visit(block: &naga::Block, look: &mut impl FnMut(&naga::Statement)) {
    use naga::Statement as S;
    for statement in block {
        look(statement);
        match statement {
            S::Block(inner) => visit(inner, look),
            S::If { accept, reject, .. } => {
                visit(accept, look);
                visit(reject, look);
            }
            S::Loop { body, continuing, .. } => {
                visit(body, look);
                visit(continuing, look);
            }
            S::Switch { cases, .. } => cases.iter().for_each(|case| visit(&case.body, look)),
            _ => {}
        }
    }
}
