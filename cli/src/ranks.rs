//! The rank of this process, and so its part of the work: from `--part R/N`, or from the variables of a launcher.
//!
//! The processes do not talk to each other. Each computes the same plan of files and makes the files of its rank.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

/// The most ranks. No machine has more processes.
const MAX_RANKS: u64 = 1 << 20;

/// A part of the work: the rank of a process, and the number of ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The rank, from 0.
    pub rank: u64,
    /// The number of ranks.
    pub size: u64,
}

impl Part {
    /// The part of a process that is alone.
    pub const WHOLE: Self = Self { rank: 0, size: 1 };

    fn new(rank: u64, size: u64) -> Result<Self> {
        ensure!(size > 0, "0 ranks make nothing");
        ensure!(size <= MAX_RANKS, "{size} ranks are more than any machine has; the limit is {MAX_RANKS}");
        ensure!(rank < size, "there is no rank {rank} of {size}: ranks count from 0 to {}", size - 1);
        Ok(Self { rank, size })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank, self.size)
    }
}

/// The values of `--part`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartChoice {
    /// The part that the launcher's variables give.
    Auto,
    /// This part.
    Given(Part),
}

impl FromStr for PartChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let numbers = text.split_once('/').and_then(|(rank, size)| Some((digits(rank)?, digits(size)?)));
        let Some((rank, size)) = numbers else {
            return Err("write auto, or R/N with whole numbers, such as 0/4 for the first of 4 ranks".into());
        };
        Part::new(rank, size).map(Self::Given).map_err(|error| error.to_string())
    }
}

/// A whole number without a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A launcher: the names of the variables that it sets for each process.
#[derive(Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The launcher's name.
    pub name: &'static str,
    rank: &'static str,
    size: &'static str,
    local_rank: &'static str,
    /// The number of processes on this machine. Slurm lists the numbers of all machines, such as 4(x2),3.
    local_sizes: &'static [&'static str],
    /// The launchers that may have started this one, so that both have set their variables.
    outer: &'static [&'static str],
}

const TORCHRUN: &str = "torchrun";
const OPEN_MPI: &str = "Open MPI";
const PMI: &str = "MPICH or Intel MPI";
const SLURM: &str = "Slurm";

/// The launchers, innermost first: torchrun starts under mpirun and srun, and mpirun starts under srun. Where several
/// have set their variables, the first one counts.
const LAUNCHERS: [Launcher; 4] = [
    Launcher {
        name: TORCHRUN,
        rank: "RANK",
        size: "WORLD_SIZE",
        local_rank: "LOCAL_RANK",
        local_sizes: &["LOCAL_WORLD_SIZE"],
        outer: &[OPEN_MPI, PMI, SLURM],
    },
    Launcher {
        name: OPEN_MPI,
        rank: "OMPI_COMM_WORLD_RANK",
        size: "OMPI_COMM_WORLD_SIZE",
        local_rank: "OMPI_COMM_WORLD_LOCAL_RANK",
        local_sizes: &["OMPI_COMM_WORLD_LOCAL_SIZE"],
        outer: &[SLURM],
    },
    Launcher {
        name: PMI,
        rank: "PMI_RANK",
        size: "PMI_SIZE",
        local_rank: "MPI_LOCALRANKID",
        local_sizes: &["MPI_LOCALNRANKS"],
        outer: &[SLURM],
    },
    Launcher {
        name: SLURM,
        rank: "SLURM_PROCID",
        // A batch script has SLURM_PROCID and SLURM_NTASKS too, and is one process. Only srun sets this variable.
        size: "SLURM_STEP_NUM_TASKS",
        local_rank: "SLURM_LOCALID",
        local_sizes: &["SLURM_STEP_TASKS_PER_NODE", "SLURM_NTASKS_PER_NODE", "SLURM_TASKS_PER_NODE"],
        outer: &[],
    },
];

/// What a launcher says about this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The launcher.
    pub launcher: &'static Launcher,
    /// The part of this process.
    pub part: Part,
    /// The rank among the processes on this machine.
    pub local_rank: Option<u64>,
    /// The number of processes on this machine.
    pub local_size: Option<u64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launcher { name, rank, size, .. } = self.launcher;
        write!(f, "{name} says {} ({rank}, {size})", self.part)
    }
}

/// A variable of the environment.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The process's own environment.
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

impl Launcher {
    /// What this launcher says, if it started the process.
    fn read(&'static self, get: Variables<'_>) -> Result<Option<Found>> {
        let number = |name: &str| {
            let read = |value: OsString| {
                let number = value.to_str().and_then(digits);
                number.with_context(|| {
                    format!("{name} is {:?}, which is no whole number", value.to_string_lossy())
                })
            };
            get(name).map(read).transpose()
        };
        // A container may have the variables of its task and none of the job. No batch script is without a job.
        let is_job = ["SLURM_JOB_ID", "SLURM_JOBID"].iter().any(|name| get(name).is_some());
        let (rank, size) = match (number(self.rank)?, number(self.size)?) {
            (Some(rank), Some(size)) => (rank, size),
            (None, None) => return Ok(None),
            (Some(rank), None) if self.name == SLURM => match number("SLURM_NTASKS")?.filter(|_| !is_job) {
                Some(size) => (rank, size),
                // The process is in a job, and outside of srun.
                None => return Ok(None),
            },
            (Some(_), None) => bail!("{} is set, and {} is not", self.rank, self.size),
            (None, Some(_)) => bail!("{} is set, and {} is not", self.size, self.rank),
        };
        let part = Part::new(rank, size).with_context(|| format!("{} and {}", self.rank, self.size))?;
        let local_rank = number(self.local_rank)?;
        let node = number("SLURM_NODEID")?.filter(|_| self.name == SLURM).unwrap_or(0);
        let local_size = self.local_sizes.iter().find_map(|name| {
            let text = get(name)?;
            of_node(text.to_str()?, node).filter(|size| (1..=part.size).contains(size))
        });
        Ok(Some(Found { launcher: self, part, local_rank, local_size }))
    }
}

/// The number for a machine in Slurm's list for all machines: 4(x2),3 is 4, 4, 3. One number stands for all machines.
fn of_node(list: &str, node: u64) -> Option<u64> {
    if let Some(number) = digits(list) {
        return Some(number);
    }
    let mut left = node;
    for item in list.split(',') {
        let (number, times) = match item.split_once("(x") {
            Some((number, times)) => (number, digits(times.strip_suffix(')')?)?),
            None => (item, 1),
        };
        if left < times {
            return digits(number);
        }
        left -= times;
    }
    None
}

/// What the environment says about this process. `None`: no launcher started it.
///
/// # Errors
/// Variables without their partner, values that are no ranks, launchers that contradict each other.
pub fn detect(get: Variables<'_>) -> Result<Option<Found>> {
    let mut found: Option<Found> = None;
    for launcher in &LAUNCHERS {
        let Some(other) = launcher.read(get)? else { continue };
        let Some(inner) = found else {
            found = Some(other);
            continue;
        };
        if inner.part != other.part && !is_nested(inner, other, get) {
            bail!("two launchers contradict each other: {inner}, {other}");
        }
    }
    Ok(found)
}

/// Whether the first launcher may have been started by the second one.
fn is_nested(inner: Found, outer: Found, get: Variables<'_>) -> bool {
    if !inner.launcher.outer.contains(&outer.launcher.name) {
        return false;
    }
    if inner.launcher.name != TORCHRUN || outer.part.size == 1 {
        // mpirun starts its daemons by srun, one on each machine, and its own machine's processes without srun.
        return true;
    }
    // Each process of the outer launcher started one torchrun. A script that exports RANK and WORLD_SIZE is no torchrun.
    let groups = get("GROUP_WORLD_SIZE").and_then(|value| digits(value.to_str()?));
    groups == Some(outer.part.size)
}

/// The part of this process, by `--part` and the environment, with what is known about the processes beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// The part.
    pub part: Part,
    /// The rank among the processes on this machine; the rank itself where that is unknown.
    pub local_rank: u64,
    /// The number of processes on this machine, where it is known.
    pub local_size: Option<u64>,
}

impl Rank {
    /// The part that the user asked for.
    ///
    /// # Errors
    /// `--part auto` without a launcher, and the errors of [`detect`].
    pub fn new(choice: PartChoice, get: Variables<'_>) -> Result<Self> {
        let remedy = "--part R/N says which part this process makes";
        let (part, found) = match choice {
            // The user gave the part. The variables only say which processes share the machine, so mistakes do no harm.
            PartChoice::Given(part) => (part, detect(get).ok().flatten().filter(|found| found.part.size > 1)),
            PartChoice::Auto => match detect(get).with_context(|| "--part auto") {
                Ok(Some(found)) => (found.part, Some(found)),
                Ok(None) => bail!("{}", no_launcher(get)),
                Err(error) => bail!("{error:#}; {remedy}"),
            },
        };
        let local_rank = found.and_then(|found| found.local_rank).unwrap_or(part.rank);
        Ok(Self { part, local_rank, local_size: found.and_then(|found| found.local_size) })
    }
}

fn no_launcher(get: Variables<'_>) -> String {
    let launchers: Vec<_> = LAUNCHERS
        .iter()
        .map(|Launcher { name, rank, size, .. }| format!("{name} ({rank}, {size})"))
        .collect();
    let job = match get("SLURM_JOB_ID") {
        Some(_) => "; this process is in a Slurm job, but srun did not start it",
        None => "",
    };
    format!(
        "--part auto: no launcher has set this process's rank: {}{job}; start the program by one of them, or give --part \
         R/N",
        launchers.join(", ")
    )
}

/// The warning about several processes that each make the whole model.
pub fn unused(get: Variables<'_>) -> Option<String> {
    let found = detect(get).ok().flatten().filter(|found| found.part.size > 1 && found.part.rank == 0)?;
    Some(format!(
        "warning: {} started {} processes, and without --part each of them makes the whole model; --part auto deals the \
         files to them",
        found.launcher.name, found.part.size
    ))
}

/// Gives this process its share of the machine's cores. `RAYON_NUM_THREADS` wins.
pub fn share_cores(rank: &Rank) {
    let Some(size) = rank.local_size.filter(|&size| size > 1) else { return };
    if std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return;
    }
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads(allowed, online_cores().unwrap_or(allowed), size);
    // The error says that the process has a pool already. Any pool makes the same bits.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}

/// The number of threads of one of `size` processes, where each may use `allowed` of the machine's `cores`. A launcher
/// that binds its processes has divided the cores already.
fn threads(allowed: usize, cores: usize, size: u64) -> usize {
    let share = |cores: usize| cores / usize::try_from(size).unwrap_or(usize::MAX).max(1);
    share(allowed).max(allowed.min(share(cores))).max(1)
}

/// The cores of the machine, of which this process may be allowed to use a part.
fn online_cores() -> Option<usize> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        (digits(last)? + 1).checked_sub(digits(first)?)
    };
    let total: u64 = list.trim().split(',').map(count).sum::<Option<u64>>()?;
    usize::try_from(total).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Variables from a text such as "RANK=1 WORLD_SIZE=4".
    fn variables(text: &str) -> HashMap<String, OsString> {
        let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn detected(text: &str) -> Result<Option<Found>> {
        let variables = variables(text);
        detect(&|name| variables.get(name).cloned())
    }

    fn rank(choice: PartChoice, text: &str) -> Result<Rank, String> {
        let variables = variables(text);
        Rank::new(choice, &|name| variables.get(name).cloned()).map_err(|error| format!("{error:#}"))
    }

    const BATCH: &str = "SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_TASKS_PER_NODE=1(x4)";

    #[test]
    fn each_launcher_is_read() {
        for (text, launcher, part, local) in [
            ("RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4", TORCHRUN, (5, 8), (Some(1), Some(4))),
            ("RANK=5 WORLD_SIZE=8", TORCHRUN, (5, 8), (None, None)),
            (
                "OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1",
                OPEN_MPI,
                (2, 3),
                (Some(0), Some(1)),
            ),
            ("SLURM_PROCID=1 SLURM_NTASKS=4 SLURM_LOCALID=1", SLURM, (1, 4), (Some(1), None)),
            ("PMI_RANK=0 PMI_SIZE=2 MPI_LOCALRANKID=0 MPI_LOCALNRANKS=2", PMI, (0, 2), (Some(0), Some(2))),
            (
                "SLURM_PROCID=6 SLURM_STEP_NUM_TASKS=7 SLURM_LOCALID=2 SLURM_NODEID=1 SLURM_STEP_TASKS_PER_NODE=4,3 \
                 SLURM_NTASKS=8",
                SLURM,
                (6, 7),
                (Some(2), Some(3)),
            ),
            (
                "SLURM_PROCID=6 SLURM_STEP_NUM_TASKS=8 SLURM_LOCALID=2 SLURM_NTASKS_PER_NODE=4",
                SLURM,
                (6, 8),
                (Some(2), Some(4)),
            ),
        ] {
            let found = detected(text).unwrap().unwrap();
            assert_eq!(
                (
                    found.launcher.name,
                    (found.part.rank, found.part.size),
                    (found.local_rank, found.local_size)
                ),
                (launcher, part, local),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_launcher() {
        for text in [
            "",
            "LOCAL_RANK=0",
            "SLURM_JOB_ID=7",
            "SLURM_PROCID=0",
            "SLURM_JOBID=7 SLURM_PROCID=0 SLURM_NTASKS=4",
            BATCH,
        ] {
            assert_eq!(detected(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn nested_launchers_are_normal() {
        let slurm = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=0 SLURM_STEP_TASKS_PER_NODE=1(x2)";
        let torchrun = "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4 GROUP_RANK=1 GROUP_WORLD_SIZE=2";
        let mpi = "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_SIZE=2";
        for (text, launcher, part) in [
            (format!("{slurm} {torchrun}"), TORCHRUN, (5, 8)),
            (format!("{BATCH} {torchrun}"), TORCHRUN, (5, 8)),
            (format!("{slurm} {mpi}"), OPEN_MPI, (3, 4)),
            (format!("{slurm} PMI_RANK=3 PMI_SIZE=4"), PMI, (3, 4)),
            // One torchrun without srun's nodes: an interactive step of one task.
            (
                "SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 RANK=3 WORLD_SIZE=4 LOCAL_RANK=3".into(),
                TORCHRUN,
                (3, 4),
            ),
            // srun --mpi=pmi2 sets both, and a script may copy one launcher's variables to another's names.
            (format!("{slurm} PMI_RANK=1 PMI_SIZE=2 RANK=1 WORLD_SIZE=2"), TORCHRUN, (1, 2)),
        ] {
            let found = detected(&text).unwrap().unwrap();
            assert_eq!((found.launcher.name, (found.part.rank, found.part.size)), (launcher, part), "{text}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let slurm = "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2";
        for (text, message) in [
            ("RANK=1", "RANK is set, and WORLD_SIZE is not"),
            ("WORLD_SIZE=4", "WORLD_SIZE is set, and RANK is not"),
            ("PMI_SIZE=4", "PMI_SIZE is set, and PMI_RANK is not"),
            ("SLURM_STEP_NUM_TASKS=4", "SLURM_STEP_NUM_TASKS is set, and SLURM_PROCID is not"),
            ("RANK=x WORLD_SIZE=4", "RANK is \"x\", which is no whole number"),
            ("RANK= WORLD_SIZE=4", "RANK is \"\", which is no whole number"),
            ("RANK=-1 WORLD_SIZE=4", "RANK is \"-1\", which is no whole number"),
            ("RANK=+1 WORLD_SIZE=4", "RANK is \"+1\", which is no whole number"),
            ("RANK=0 WORLD_SIZE=0", "RANK and WORLD_SIZE: 0 ranks make nothing"),
            ("RANK=4 WORLD_SIZE=4", "RANK and WORLD_SIZE: there is no rank 4 of 4: ranks count from 0 to 3"),
            (
                "RANK=0 WORLD_SIZE=9999999",
                "9999999 ranks are more than any machine has; the limit is 1048576",
            ),
            (
                "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=a",
                "OMPI_COMM_WORLD_LOCAL_RANK is \"a\", which is no whole number",
            ),
            (
                // A script that exports RANK and WORLD_SIZE before srun gives all tasks the same.
                &format!("{slurm} RANK=0 WORLD_SIZE=2"),
                "two launchers contradict each other: torchrun says rank 0 of 2 (RANK, WORLD_SIZE), Slurm says rank 1 \
                 of 2 (SLURM_PROCID, SLURM_STEP_NUM_TASKS)",
            ),
            (
                &format!("{slurm} RANK=0 WORLD_SIZE=8 LOCAL_WORLD_SIZE=8 GROUP_WORLD_SIZE=1"),
                "two launchers contradict each other: torchrun says rank 0 of 8",
            ),
            (
                "OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 PMI_RANK=1 PMI_SIZE=2",
                "two launchers contradict each other: Open MPI says rank 0 of 2",
            ),
        ] {
            let error = rank(PartChoice::Auto, text).unwrap_err();
            assert!(error.starts_with("--part auto: ") && error.contains(message), "{text}: {error}");
            assert!(error.ends_with("; --part R/N says which part this process makes"), "{error}");
            // A part that is given needs no launcher.
            let part = Part { rank: 1, size: 2 };
            assert_eq!(rank(PartChoice::Given(part), text).unwrap().part, part);
        }
        let error = rank(PartChoice::Auto, "").unwrap_err();
        assert_eq!(
            error,
            "--part auto: no launcher has set this process's rank: torchrun (RANK, WORLD_SIZE), Open MPI \
             (OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE), MPICH or Intel MPI (PMI_RANK, PMI_SIZE), Slurm (SLURM_PROCID, \
             SLURM_STEP_NUM_TASKS); start the program by one of them, or give --part R/N"
        );
        let error = rank(PartChoice::Auto, BATCH).unwrap_err();
        assert!(
            error.contains("this process is in a Slurm job, but srun did not start it; start the"),
            "{error}"
        );
    }

    #[test]
    fn a_part_is_a_rank_and_a_size() {
        assert_eq!("auto".parse(), Ok(PartChoice::Auto));
        assert_eq!("2/4".parse(), Ok(PartChoice::Given(Part { rank: 2, size: 4 })));
        for (text, message) in [
            ("", "write auto, or R/N"),
            ("2", "write auto, or R/N"),
            ("+2/4", "write auto, or R/N"),
            ("2/4/8", "write auto, or R/N"),
            ("2 / 4", "write auto, or R/N"),
            ("18446744073709551616/4", "write auto, or R/N"),
            ("4/4", "there is no rank 4 of 4: ranks count from 0 to 3"),
            ("0/0", "0 ranks make nothing"),
            ("0/18446744073709551615", "the limit is 1048576"),
        ] {
            let error = text.parse::<PartChoice>().unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn the_local_rank_is_known_from_a_launcher() {
        let part = Part { rank: 5, size: 8 };
        let beside =
            rank(PartChoice::Given(part), "RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 LOCAL_WORLD_SIZE=4").unwrap();
        assert_eq!((beside.local_rank, beside.local_size), (1, Some(4)));
        let alone = rank(PartChoice::Given(part), "").unwrap();
        assert_eq!((alone.local_rank, alone.local_size), (5, None));
    }

    #[test]
    fn processes_that_each_make_everything_are_warned_of_once() {
        let warning = |text: &str| {
            let variables = variables(text);
            unused(&|name| variables.get(name).cloned())
        };
        assert!(warning("RANK=0 WORLD_SIZE=4").unwrap().starts_with("warning: torchrun started 4 processes"));
        for text in ["", BATCH, "RANK=1 WORLD_SIZE=4", "RANK=0 WORLD_SIZE=1", "RANK=0"] {
            assert_eq!(warning(text), None, "{text}");
        }
    }

    #[test]
    fn cores_are_divided_unless_the_launcher_has_bound_them() {
        for (allowed, cores, size, right) in [
            (8, 8, 4, 2),
            (8, 8, 3, 2),
            (2, 8, 4, 2),
            (1, 8, 4, 1),
            (8, 8, 16, 1),
            (4, 8, 4, 2),
            (8, 8, 1, 8),
        ] {
            assert_eq!(threads(allowed, cores, size), right, "{allowed} {cores} {size}");
        }
    }

    #[test]
    fn slurm_counts_the_tasks_of_each_machine() {
        for (list, node, right) in [
            ("4", 9, Some(4)),
            ("4(x2),3", 0, Some(4)),
            ("4(x2),3", 2, Some(3)),
            ("4(x2),3", 3, None),
            ("a", 0, None),
        ] {
            assert_eq!(of_node(list, node), right, "{list} {node}");
        }
    }
}
