//! Tests of the WGSL itself: every kernel is valid, declares what Rust assumes, and lets no compiler
//! change a bit.

use std::collections::HashSet;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{BinaryOperator, Expression, Handle, Module, ScalarKind, TypeInner, UnaryOperator};

use super::*;

impl Kernel {
    pub(crate) const NORMAL_WHOLE: Self = Self {
        values: Values::Normal,
        store: Store::Whole,
        dtype: DType::F32,
        loops: Loops::None,
        jobs: Jobs::One,
    };

    fn all() -> impl Iterator<Item = Self> {
        const VALUES: [Values; 8] = [
            Values::Constant,
            Values::Words,
            Values::Uniform,
            Values::Normal,
            Values::TruncNormal,
            Values::Identity,
            Values::Sparse,
            Values::Copy,
        ];
        let grids = |values, store, dtype| {
            [Loops::None, Loops::Some].into_iter().flat_map(move |loops| {
                [Jobs::One, Jobs::Many].map(|jobs| Self { values, store, dtype, loops, jobs })
            })
        };
        VALUES.into_iter().flat_map(move |values| {
            [Store::Whole, Store::Ragged].into_iter().flat_map(move |store| {
                [DType::F32, DType::F16, DType::BF16]
                    .into_iter()
                    .flat_map(move |dtype| grids(values, store, dtype))
            })
        })
    }
}

impl Source {
    /// Every module that some device makes of the kernel; the portable ones first.
    pub(crate) fn every(kernel: Kernel) -> Vec<Self> {
        let mut all = Vec::new();
        for math in [Math::Portable, Math::Native] {
            for int64 in [true, false] {
                for target in [Target::Gpu, Target::Llvmpipe, Target::Processor] {
                    all.push(Self { kernel, int64, math, target });
                }
            }
        }
        all
    }

    pub(crate) fn parse(self) -> Module {
        let text = self.text();
        naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{self:?}: {}", e.emit_to_string(&text)))
    }
}

impl orthogonal::Source {
    /// Every module that some device makes.
    fn every() -> impl Iterator<Item = Self> {
        orthogonal::Kernel::ALL
            .into_iter()
            .flat_map(|kernel| [true, false].map(|int64| Self { kernel, int64 }))
    }

    pub(crate) fn parse(self) -> Module {
        let text = self.text();
        naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|e| panic!("{self:?}: {}", e.emit_to_string(&text)))
    }
}

/// A constant of a module, if it has it.
fn declared(module: &Module, name: &str) -> Option<u64> {
    let (_, constant) = module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name))?;
    let Expression::Literal(naga::Literal::U32(value)) = module.global_expressions[constant.init] else {
        panic!("{name} is no u32")
    };
    Some(value.into())
}

#[test]
fn every_orthogonal_module_is_valid_and_declares_what_rust_assumes() {
    for source in orthogonal::Source::every() {
        let module = source.parse();
        let capabilities = if source.int64 { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
        if let Err(error) = Validator::new(ValidationFlags::all(), capabilities).validate(&module) {
            panic!("{source:?}: {}", error.emit_to_string(&source.text()));
        }
        let [entry] = &module.entry_points[..] else { panic!("{source:?}: one entry point") };
        let size = source.kernel.workgroup_size();
        assert_eq!((entry.name.as_str(), entry.workgroup_size), ("orthogonal", [size, 1, 1]));
        for (name, value) in [
            ("PANEL", orthogonal::PANEL),
            ("CHUNK", orthogonal::CHUNK),
            ("ROWS", orthogonal::UPDATE_ROWS),
            ("TAU", orthogonal::STATE - orthogonal::PANEL),
        ] {
            if let Some(declared) = declared(&module, name) {
                assert_eq!(declared, value, "{source:?}: {name}");
            }
        }
    }
}

#[test]
fn every_module_is_valid_and_declares_the_workgroup_size() {
    for source in Kernel::all().flat_map(Source::every) {
        let module = source.parse();
        let capabilities = if source.int64 { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
        if let Err(error) = Validator::new(ValidationFlags::all(), capabilities).validate(&module) {
            panic!("{source:?}: {}", error.emit_to_string(&source.text()));
        }
        let [entry] = &module.entry_points[..] else { panic!("{source:?}: one entry point") };
        assert_eq!(
            (entry.name.as_str(), entry.workgroup_size),
            ("fill", [source.target.workgroup_size(), 1, 1])
        );
        let size_of_jobs =
            module.global_variables.iter().find_map(|(_, variable)| match module.types[variable.ty].inner {
                TypeInner::Array { size: naga::ArraySize::Constant(size), .. }
                    if variable.name.as_deref() == Some("jobs") =>
                {
                    Some(size.get())
                }
                _ => None,
            });
        assert_eq!(size_of_jobs.unwrap_or(1), source.kernel.jobs.blocks());
        assert_eq!(declared(&module, "STORED"), Some(source.stored()), "{source:?}");
    }
}

#[test]
fn kernels_have_places_of_their_own() {
    let mut indexes: Vec<_> = Kernel::all().map(Kernel::index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (0..Kernel::COUNT).collect::<Vec<_>>());
}

#[test]
fn portable_modules_let_no_compiler_change_a_bit() {
    for source in Kernel::all().flat_map(Source::every).filter(|s| s.math == Math::Portable) {
        let faults = faults(&source.parse());
        assert!(faults.is_empty(), "{source:?}:\n{}", faults.join("\n"));
    }
    for source in orthogonal::Source::every() {
        let faults = faults(&source.parse());
        assert!(faults.is_empty(), "{source:?}:\n{}", faults.join("\n"));
    }
}

#[test]
fn the_lint_finds_what_it_is_for() {
    let native = Source { math: Math::Native, ..Source::every(Kernel::NORMAL_WHOLE)[1] };
    assert!(!faults(&native.parse()).is_empty());

    let prelude =
        [wgsl!("params"), "@group(0) @binding(0) var<uniform> params: Params;", wgsl!("keep")].join("\n");
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
        let faults = faults(&naga::front::wgsl::parse_str(&text).unwrap());
        assert!(faults.iter().any(|f| f.contains(fault)), "{body}: {faults:?}");
    }
    for body in [
        "return keep(keep(a * b) + c) - a;",
        "return f32(bitcast<u32>(a) & 0xFFFFFFu);",
        "return f32(select(32 - (bitcast<i32>(a) >> 23u), 0, a < b));",
    ] {
        let right = format!("{prelude} fn f(a: f32, b: f32, c: f32) -> f32 {{ {body} }}");
        assert_eq!(faults(&naga::front::wgsl::parse_str(&right).unwrap()), Vec::<String>::new(), "{body}");
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
