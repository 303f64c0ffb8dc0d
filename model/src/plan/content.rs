//! A parameter and the rule that it takes -> the tensor's content.

use std::collections::BTreeMap;

use safetensors::tensor::Dtype;
use seedbed::Fans;

use super::{Chosen, MAX_CHAIN, Outcome, Planner, Problem, State};
use crate::error::{At, Error, Result, bail, ensure};
use crate::expression::Expression;
use crate::initialiser::{Initialiser, Scope, axis_of, dimension};
use crate::names;
use crate::parameter::{Parameter, elements};
use crate::remedy;
use crate::rules::{Action, Layout, MAX_PARTS, Parts, Row};
use crate::tensor::{Content, Run, Source, Tensor};

/// What the parameter holds by the rule. `fans` becomes what the rule's expressions see.
pub(super) fn outcome(
    planner: &Planner<'_>,
    parameter: &Parameter,
    chosen: &Chosen<'_>,
    fans: &mut Option<Fans>,
    state: &mut State,
) -> Result<Outcome> {
    let mut builder = Builder { planner, parameter, chosen, state };
    match &chosen.rule.action {
        Action::Skip => Ok(Outcome::Skip),
        Action::Refuse(reason) => Ok(Outcome::Error(Problem::Refused(reason.clone()))),
        Action::Tie(name) => builder.tie(name),
        Action::Copy { name, grow, rows } => {
            let content = builder.copy(name.as_deref(), grow.as_ref(), rows)?;
            Ok(Outcome::Copy(builder.tensor(parameter.dtype, content)?))
        }
        Action::Init { inits, parts, names, rows } => {
            let dtype = planner.made_as(parameter);
            let content = builder.init(dtype, inits, parts, names, rows)?;
            *fans = builder.fans(parts, &content)?;
            Ok(Outcome::Make(builder.tensor(dtype, content)?))
        }
    }
}

struct Builder<'a, 'b> {
    planner: &'a Planner<'a>,
    parameter: &'a Parameter,
    chosen: &'a Chosen<'a>,
    state: &'b mut State,
}

impl Builder<'_, '_> {
    fn tensor(&self, dtype: Dtype, content: Content) -> Result<Tensor> {
        let Parameter { name, shape, .. } = self.parameter;
        let tensor = Tensor { name: name.clone(), shape: shape.clone(), dtype, content };
        tensor.check()?;
        Ok(tensor)
    }

    fn resolve(&self, name: &str) -> Result<String> {
        names::resolve(name, &self.parameter.name, &|capture| self.chosen.capture(capture))
    }

    /// The name among `all` that is most like a name that none has, for an error.
    fn nearest(&mut self, name: &str, all: &[Parameter]) -> String {
        let Some(left) = self.state.searches.checked_sub(1) else { return String::new() };
        self.state.searches = left;
        let all = all.iter().map(|parameter| parameter.name.as_str());
        names::nearest(name, all).map_or(String::new(), |name| format!("; {name:?} is like it"))
    }

    /// Takes the memory of parts of a tensor from what a plan may have.
    fn take_parts(&mut self, parts: usize) -> Result<()> {
        let Parameter { name, shape, .. } = self.parameter;
        let part = size_of::<Source>() + size_of::<Run>() + name.len() + size_of_val(&shape[..]);
        self.take_room(parts.saturating_mul(part))
    }

    fn take_room(&mut self, bytes: usize) -> Result<()> {
        let left = self.state.room.checked_sub(bytes);
        let Some(left) = left else { bail!("all parameters together have too many parts") };
        self.state.room = left;
        Ok(())
    }

    /// The parameter that a rule names.
    fn other(&mut self, name: &str, key: &str) -> Result<usize> {
        let resolved = self.resolve(name).at(|| key)?;
        if let Some(index) = self.planner.model.position(&resolved) {
            return Ok(index);
        }
        let nearest = self.nearest(&resolved, &self.planner.model.parameters);
        bail!("{key} = {name:?} means {resolved:?}, which the model does not have{nearest}")
    }

    /// The tensor of another parameter of the model.
    fn planned(&mut self, index: usize) -> Result<Tensor> {
        let name = &self.planner.model.parameters[index].name;
        if self.state.chain.contains(&index) {
            let chain = self.state.chain.iter().map(|&index| &*self.planner.model.parameters[index].name);
            let chain: Vec<_> = chain.chain([name.as_str()]).collect();
            bail!("this leads back to itself: {}", chain.join(" -> "));
        }
        ensure!(
            self.state.chain.len() < MAX_CHAIN,
            "more than {MAX_CHAIN} parameters lead from one to the next"
        );
        self.planner.entry(index, self.state);
        match self.state.entries[index].as_ref().map(|entry| &entry.outcome) {
            Some(Outcome::Error(problem)) => bail!("{name:?} can't be made: {problem}"),
            Some(Outcome::Skip) => bail!("{name:?} is skipped"),
            Some(outcome) => {
                outcome.tensor().cloned().ok_or_else(|| Error::new(format_args!("{name:?} has no tensor")))
            }
            None => bail!("{name:?} is not planned"),
        }
    }

    fn tie(&mut self, name: &str) -> Result<Outcome> {
        let index = self.other(name, "tie")?;
        let target = self.planned(index)?;
        let Parameter { name, shape, dtype } = self.parameter;
        ensure!(
            target.shape == *shape,
            "tied to {:?} of shape {:?}, but the shape here is {shape:?}",
            target.name,
            target.shape
        );
        let same = target.dtype == *dtype || target.dtype == self.planner.made_as(self.parameter);
        ensure!(same, "tied to {:?} of type {}, but the type here is {dtype}", target.name, target.dtype);
        let to = target.name.clone();
        Ok(Outcome::Tie { to, tensor: Tensor { name: name.clone(), ..target } })
    }

    fn copy(
        &mut self,
        name: Option<&str>,
        grow: Option<&Initialiser>,
        rows: &[(Row, Initialiser)],
    ) -> Result<Content> {
        let Parameter { name: own, shape, dtype } = self.parameter;
        let name = match name {
            Some(name) => self.resolve(name).at(|| "copy")?,
            None => own.clone(),
        };
        let Some(source) = self.planner.source else {
            bail!("there is no data to copy: the model is a manifest; {} {name:?}", remedy::DATA)
        };
        let place = source.place();
        let Some(from) = source.parameter(&name) else {
            let nearest = self.nearest(&name, &source.parameters);
            bail!("{place} has no parameter {name:?} to copy{nearest}")
        };
        source.check_data(&name)?;
        ensure!(
            from.dtype == *dtype,
            "{name:?} is {} in {place} and {dtype} in the model; a copy keeps the type",
            from.dtype
        );
        let shares_bytes = dtype.bitsize() < 8;
        let units = if shares_bytes { vec![from.bytes()?] } else { from.shape.clone() };
        let copy = Source::Copy { name: name.clone(), shape: units };
        let content = if from.shape == *shape {
            Content::whole(copy)?
        } else {
            let [old, new] = [&from.shape, shape].map(|shape| shape.first().copied().unwrap_or(0));
            let same_rows =
                !shape.is_empty() && from.shape.len() == shape.len() && from.shape[1..] == shape[1..];
            let Some(grow) = grow else {
                bail!(
                    "{name:?} has the shape {:?} in {place} and {shape:?} in the model{}",
                    from.shape,
                    if same_rows && old < new { "; `grow` gives an initialiser to the new rows" } else { "" }
                )
            };
            ensure!(!shares_bytes, "elements of {dtype} share bytes, so the tensor can't grow");
            ensure!(
                same_rows && old <= new,
                "{name:?} has the shape {:?} in {place}, from which {shape:?} does not grow: only the first dimension may \
                 be larger",
                from.shape
            );
            let made = self.initialise(grow, shape, *dtype, self.stream(), true)?;
            let Some(made) = made.single().cloned() else { bail!("{grow} can't grow a tensor") };
            let (old, new) = (elements(&from.shape)?, elements(shape)?);
            let run = |source, first, end| Run { source, first, stride: 0, len: end - first };
            Content { sources: vec![copy, made], outer: 1, runs: vec![run(0, 0, old), run(1, old, new)] }
        };
        self.with_rows(content, *dtype, rows)
    }

    fn init(
        &mut self,
        dtype: Dtype,
        inits: &[Initialiser],
        parts: &Parts,
        part_names: &[String],
        rows: &[(Row, Initialiser)],
    ) -> Result<Content> {
        let shape = &self.parameter.shape;
        let whole = elements(shape)?;
        let (axis, sizes, unstacked) = match parts {
            Parts::Whole => {
                let content = self.initialise(&inits[0], shape, dtype, self.stream(), true)?;
                return self.with_rows(content, dtype, rows);
            }
            Parts::Into { axis, parts } => {
                let axis = axis_of(*axis, shape.len()).at(|| "split")?;
                ensure!(
                    shape[axis].is_multiple_of(*parts),
                    "split: the dimension {axis} of {shape:?} has no {parts} equal parts; give sizes"
                );
                (axis, vec![shape[axis] / parts; *parts as usize], false)
            }
            Parts::Sizes { axis, sizes } => {
                let axis = axis_of(*axis, shape.len()).at(|| "split")?;
                let sizes = sizes.iter().map(|size| self.whole_number(size, "split.sizes"));
                let sizes = sizes.collect::<Result<Vec<u64>>>()?;
                let sum = sizes.iter().try_fold(0_u64, |sum, &size| sum.checked_add(size));
                ensure!(
                    sum == Some(shape[axis]),
                    "split: the sizes {sizes:?} add up to {}, but the dimension {axis} of {shape:?} is {}",
                    sum.map_or("more than 2^64".to_owned(), |sum| sum.to_string()),
                    shape[axis]
                );
                (axis, sizes, false)
            }
            Parts::Unstack { axis } => {
                let axis = axis_of(*axis, shape.len()).at(|| "unstack")?;
                ensure!(
                    shape[axis] <= MAX_PARTS,
                    "unstack: the dimension {axis} of {shape:?} has more than {MAX_PARTS} slices"
                );
                (axis, vec![1; shape[axis] as usize], true)
            }
        };
        let count = inits.len();
        ensure!(
            count == 1 || count == sizes.len(),
            "there are {count} initialisers for {} slices; give one for all, or one for each",
            sizes.len()
        );
        if whole == 0 {
            return self.initialise(&inits[0], shape, dtype, self.stream(), true);
        }
        self.take_parts(sizes.len())?;
        let (before, after) = (&shape[..axis], &shape[axis + 1..]);
        let mut sources = Vec::new();
        for (part, &size) in sizes.iter().enumerate() {
            let middle = if unstacked { &[][..] } else { &[size] };
            let part_shape = [before, middle, after].concat();
            let name = match part_names {
                [] => format!("{}[{part}]", self.parameter.name),
                [one] if unstacked => names::resolve(one, &self.parameter.name, &|capture| match capture {
                    "i" => Some(part as u64),
                    other => self.chosen.capture(other),
                })?,
                all => self.resolve(&all[part])?,
            };
            let stream = self.planner.rules.stream_name(&name).to_owned();
            let init = &inits[if count == 1 { 0 } else { part }];
            let content = self.initialise(init, &part_shape, dtype, stream, true)?;
            let Some(source) = content.single() else { bail!("{init} can't make a part of a tensor") };
            sources.push(source.clone());
        }
        Ok(Content::along(sources, elements(before)?, &sizes, elements(after)?))
    }

    /// The content of a tensor, or of a part of one. `with_fans`: the rule's own fans count.
    fn initialise(
        &mut self,
        init: &Initialiser,
        shape: &[u64],
        dtype: Dtype,
        stream: String,
        with_fans: bool,
    ) -> Result<Content> {
        let rule = self.chosen.rule;
        let (base, fans) =
            if with_fans { self.base_of(shape)? } else { (shape.to_vec(), Fans::of(shape).ok()) };
        let explicit = with_fans
            && (rule.of.is_some()
                || rule.has_layout
                || rule.groups.is_some()
                || rule.fan_in.is_some()
                || rule.fan_out.is_some());
        let (chosen, planner) = (self.chosen, self.planner);
        let variable = |name: &str| variable(name, chosen, &planner.lets, &base, fans);
        let norm_of = match init.norm_of() {
            Some(of) => Some(self.other(of, "of")?),
            None => None,
        };
        let mut scope = Scope {
            shape,
            dtype,
            stream: &stream,
            fans: fans.filter(|_| explicit),
            variable: &variable,
            tensor: &mut |name| match norm_of {
                Some(index) => self.planned(index),
                None => bail!("{name:?} is not planned"),
            },
        };
        let content = init.content(&mut scope).map_err(|error| match error.message() {
            message if message.contains("the variable \"fan_") && fans.is_none() => Error::new(format_args!(
                "{init}: {message}: the shape {base:?} has no fans; `of` names the weight that has them"
            )),
            _ => error.at(init),
        })?;
        if let more @ 2.. = content.runs.len() {
            self.take_room(more.saturating_mul(size_of::<Run>()))?;
        }
        Ok(content)
    }

    /// Replaces rows of a content.
    fn with_rows(&mut self, content: Content, dtype: Dtype, rows: &[(Row, Initialiser)]) -> Result<Content> {
        if rows.is_empty() {
            return Ok(content);
        }
        self.take_parts(rows.len())?;
        let shape = &self.parameter.shape;
        let Some((&count, row_shape)) = shape.split_first() else { bail!("rows: a scalar has no rows") };
        ensure!(dtype.bitsize() >= 8, "rows: elements of {dtype} share bytes");
        ensure!(content.outer == 1, "rows: the initialiser has parts of its own");
        let len = elements(row_shape)?;
        elements(shape)?;
        let mut replaced: BTreeMap<u64, &Initialiser> = BTreeMap::new();
        for (row, init) in rows {
            let number = match row {
                Row::Number(number) => *number,
                Row::Name(name) => {
                    let value = self.planner.lets.get(name).copied().unwrap_or(f64::NAN);
                    let whole = value as i64;
                    ensure!(whole as f64 == value, "rows: {name} is {value}, which is no number of a row");
                    whole
                }
            };
            let index = if number < 0 { i128::from(number) + i128::from(count) } else { number.into() };
            let index = u64::try_from(index).ok().filter(|&index| index < count);
            let Some(index) = index else { bail!("rows: there is no row {number} in {shape:?}") };
            ensure!(replaced.insert(index, init).is_none(), "rows: the row {index} is given twice");
        }
        let Content { mut sources, runs, .. } = content;
        let mut cut = Vec::new();
        let mut at = 0;
        for run in runs {
            let end = at + run.len;
            let mut from = at;
            for (&row, _) in replaced.range(at / len.max(1)..) {
                let (start, stop) = (row * len, (row + 1) * len);
                if start >= end {
                    break;
                }
                if start > from {
                    cut.push(Run { first: run.first + (from - at), len: start - from, ..run });
                }
                from = from.max(stop.min(end));
            }
            if end > from {
                cut.push(Run { first: run.first + (from - at), len: end - from, ..run });
            }
            at = end;
        }
        // The runs that stay, and those of the rows, in the order of the elements.
        let mut all: Vec<Run> = Vec::new();
        let mut kept = cut.into_iter();
        let mut at = 0;
        let mut rows = replaced.into_iter().peekable();
        let total = count * len;
        while at < total {
            if let Some((row, init)) = rows.next_if(|(row, _)| row * len == at) {
                let name = format!("{}[{row}]", self.parameter.name);
                let stream = self.planner.rules.stream_name(&name).to_owned();
                let made =
                    self.initialise(init, row_shape, dtype, stream, false).at(|| format!("row {row}"))?;
                let Some(source) = made.single() else { bail!("rows: {init} can't make a row") };
                all.push(Run { source: sources.len(), first: 0, stride: 0, len });
                sources.push(source.clone());
                at += len;
                continue;
            }
            let Some(run) = kept.next() else { bail!("rows: the parts of the tensor don't add up") };
            at += run.len;
            all.push(run);
        }
        Ok(Content { sources, outer: 1, runs: all })
    }

    fn stream(&self) -> String {
        self.planner.rules.stream_name(&self.parameter.name).to_owned()
    }

    /// The fans that the initialiser sees, if all parts have the same.
    fn fans(&mut self, parts: &Parts, content: &Content) -> Result<Option<Fans>> {
        if matches!(parts, Parts::Whole) {
            return Ok(self.base()?.1);
        }
        let shapes = content.sources.iter().map(|source| match source {
            Source::Init { shape, .. } | Source::Formula { shape, .. } => Some(shape),
            _ => None,
        });
        let shapes: Vec<_> = shapes.collect();
        match shapes.first() {
            Some(Some(first)) if shapes.iter().all(|shape| *shape == Some(*first)) => {
                Ok(self.base_of(first)?.1)
            }
            _ => Ok(None),
        }
    }

    /// The shape and the fans that the rule's expressions see.
    fn base(&mut self) -> Result<(Vec<u64>, Option<Fans>)> {
        self.base_of(&self.parameter.shape)
    }

    fn base_of(&mut self, shape: &[u64]) -> Result<(Vec<u64>, Option<Fans>)> {
        let rule = self.chosen.rule;
        let base = match &rule.of {
            Some(of) => self.planner.model.parameters[self.other(of, "of")?].shape.clone(),
            None => shape.to_vec(),
        };
        let mut fans = match rule.layout {
            Layout::OutIn => Fans::of(&base).ok(),
            Layout::InOut => Fans::keras(&base).ok(),
        };
        let value = |expression: &Expression, fans| {
            expression.value(&|name| variable(name, self.chosen, &self.planner.lets, &base, fans))
        };
        if let Some(groups) = &rule.groups {
            let groups = value(groups, fans).at(|| "groups")?;
            ensure!(
                groups >= 1.0 && groups.fract() == 0.0,
                "groups is {groups}, which is no number of groups"
            );
            let Some(fans) = &mut fans else { bail!("groups: the shape {base:?} has no fans") };
            fans.fan_out /= groups;
        }
        if rule.fan_in.is_some() || rule.fan_out.is_some() {
            let natural = fans;
            let fan = |given: &Option<Expression>, key, own: Option<f64>| match (given, own) {
                (Some(expression), _) => value(expression, natural).at(|| key),
                (None, Some(own)) => Ok(own),
                // A fan that no initialiser uses.
                (None, None) => Ok(1.0),
            };
            fans = Some(Fans {
                fan_in: fan(&rule.fan_in, "fans.in", natural.map(|fans| fans.fan_in))?,
                fan_out: fan(&rule.fan_out, "fans.out", natural.map(|fans| fans.fan_out))?,
            });
        }
        Ok((base, fans))
    }

    fn whole_number(&mut self, expression: &Expression, key: &str) -> Result<u64> {
        let (base, fans) = self.base()?;
        let variable = |name: &str| variable(name, self.chosen, &self.planner.lets, &base, fans);
        let value = expression.value(&variable).at(|| key)?;
        ensure!(
            value >= 0.0 && value.fract() == 0.0 && value < 9e15,
            "{key}: {expression} is {value}, which is no size of a part"
        );
        Ok(value as u64)
    }
}

/// The value of a variable of a rule's expressions.
fn variable(
    name: &str,
    chosen: &Chosen<'_>,
    lets: &BTreeMap<String, f64>,
    shape: &[u64],
    fans: Option<Fans>,
) -> Option<f64> {
    match name {
        "fan_in" => fans.map(|fans| fans.fan_in),
        "fan_out" => fans.map(|fans| fans.fan_out),
        "rank" => Some(shape.len() as f64),
        _ => chosen
            .capture(name)
            .map(|number| number as f64)
            .or_else(|| dimension(name, shape).map(|size| size as f64))
            .or_else(|| lets.get(name).copied()),
    }
}
