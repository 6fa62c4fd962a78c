//! seccomp: which system calls are refused, because they reach what Landlock does not know of.
//!
//! A list of what is refused, not of what is allowed: which calls a program makes depends on the libraries of the machine.
//! It is complete up to the newest call that was looked at; those that kernels to come will have are not there at all.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

use crate::plugin::Confinement;

/// The newest call that was looked at, `file_setattr` (Linux 6.17). From 424 on calls have the same number everywhere.
///
/// The second numbers that calls have on x86_64, those of x32 from 0x4000_0000 on, are above it, too.
const NEWEST: u32 = 469;

/// The machine itself, other processes, and ways around the rules on files. Most want rights that are given up as well.
const NEVER: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    // What it starts may be no file of any directory, as `memfd_create` makes them.
    libc::SYS_execveat,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    // Its operations are calls that nothing filters.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    SYS_QUOTACTL_FD,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Owners, modes, times and attributes of files by their path: Landlock does not know these.
const BY_PATH: &[c_long] = &[
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchownat,
    SYS_FILE_SETATTR,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    SYS_REMOVEXATTRAT,
    libc::SYS_setxattr,
    SYS_SETXATTRAT,
];

/// The same by names that only old architectures have.
#[cfg(target_arch = "x86_64")]
const BY_PATH_OF_OLD: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_futimesat,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
];

#[cfg(not(target_arch = "x86_64"))]
const BY_PATH_OF_OLD: &[c_long] = &[];

/// The same for files that are open.
const OF_OPEN: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_utimensat,
];

/// Calls that name a process, and the argument that does; 0 is the caller.
const OF_PROCESSES: &[(c_long, u8)] = &[
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_migrate_pages, 0),
    (libc::SYS_move_pages, 0),
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
];

/// Calls that name one process or many, their first argument, and what that is for one.
const OF_ONE_PROCESS: [(c_long, u64); 2] = [
    // IOPRIO_WHO_PROCESS (linux/ioprio.h)
    (libc::SYS_ioprio_set, 1),
    (libc::SYS_setpriority, 0),
];

/// Flags of `clone` that ask for namespaces: of mounts, cgroups, names, IPC, users, processes and networks (linux/sched.h). In
/// one of users a process has all rights again.
const NAMESPACES: [u64; 7] = [
    0x0002_0000,
    0x0200_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
];

/// Those that not every library knows (include/uapi/asm-generic/unistd.h).
const SYS_CLONE3: c_long = 435;
const SYS_QUOTACTL_FD: c_long = 443;
const SYS_FCHMODAT2: c_long = 452;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;
const SYS_OPEN_TREE_ATTR: c_long = 467;
const SYS_FILE_SETATTR: c_long = 469;

/// `ioctl` requests that change attributes of an open file (linux/fs.h, with sizes of 64 bits).
const ATTRIBUTES: [u64; 2] = [0x4008_6602, 0x401c_5820];

/// Confines this process.
pub(super) fn confine(terms: &Confinement) -> Result<(), String> {
    let failed = |why: String| format!("seccomp refused it: {why}");
    let arch = arch().ok_or("there is no filter of system calls for this architecture")?;
    let filter = filter(terms, arch).map_err(|err| failed(err.to_string()))?;
    for filter in [filter, absent()] {
        apply_filter(&filter).map_err(|err| failed(err.to_string()))?;
    }
    Ok(())
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn arch() -> Option<TargetArch> {
    match () {
        () if cfg!(target_arch = "x86_64") => Some(TargetArch::x86_64),
        () if cfg!(target_arch = "aarch64") => Some(TargetArch::aarch64),
        () if cfg!(target_arch = "riscv64") => Some(TargetArch::riscv64),
        () => None,
    }
}

fn filter(terms: &Confinement, arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let mut rules = Rules::new();
    let mut always = |calls: &[c_long]| {
        for call in calls {
            rules.insert(*call, Vec::new());
        }
    };
    always(NEVER);
    always(BY_PATH);
    always(BY_PATH_OF_OLD);
    if terms.write.is_empty() {
        always(OF_OPEN);
        let of = |request| rule(&[(1, SeccompCmpOp::Eq, request)]);
        let attributes = ATTRIBUTES.map(of).into_iter().collect::<Result<_, _>>()?;
        rules.insert(libc::SYS_ioctl, attributes);
    } else {
        // With a path; without one it is about a file that is open.
        let long = SeccompCmpArgLen::Qword;
        let condition = SeccompCondition::new(1, long, SeccompCmpOp::Ne, 0)?;
        rules.insert(
            libc::SYS_utimensat,
            vec![SeccompRule::new(vec![condition])?],
        );
    }
    for (call, argument) in OF_PROCESSES {
        rules.insert(*call, vec![rule(&[(*argument, SeccompCmpOp::Ne, 0)])?]);
    }
    for (call, one) in OF_ONE_PROCESS {
        let many = rule(&[(0, SeccompCmpOp::Ne, one)])?;
        rules.entry(call).or_default().push(many);
    }
    let of = |flag| rule(&[(0, SeccompCmpOp::MaskedEq(flag), flag)]);
    let namespaces = NAMESPACES.map(of).into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_clone, namespaces);
    if let Some(sockets) = sockets(terms)? {
        rules.insert(libc::SYS_socket, sockets);
    }
    // Calls by the numbers of another architecture end the process.
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// A filter for the calls that are told not to be there, so that libraries do with older ones: those that nobody has looked at,
/// and `clone3`, whose flags are in memory, where no filter sees them. The other filter ends what calls by the numbers of
/// another architecture.
fn absent() -> BpfProgram {
    // linux/bpf_common.h and linux/seccomp.h
    const LOAD: u16 = 0x20;
    const IF_EQUAL: u16 = 0x15;
    const IF_GREATER: u16 = 0x25;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERROR: u32 = 0x0005_0000;
    let step = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    vec![
        // The number of the call is the first of what a filter sees.
        step(LOAD, 0, 0),
        step(IF_GREATER, 2, NEWEST),
        step(IF_EQUAL, 1, SYS_CLONE3.unsigned_abs() as u32),
        step(RETURN, 0, ALLOW),
        step(RETURN, 0, ERROR | libc::ENOSYS.unsigned_abs()),
    ]
}

/// The rules that refuse sockets; `None` where none is refused.
fn sockets(terms: &Confinement) -> Result<Option<Vec<SeccompRule>>, BackendError> {
    let allowed = [
        (terms.sockets.unix, &[libc::AF_UNIX][..]),
        (terms.sockets.netlink, &[libc::AF_NETLINK]),
        (terms.sockets.network, &[libc::AF_INET, libc::AF_INET6]),
    ];
    let families = allowed.iter().filter(|(is_allowed, _)| *is_allowed);
    let families = families.flat_map(|(_, families)| families.iter());
    // A rule that has all these conditions fits what is none of them.
    let none_of: Vec<_> = families
        .map(|family| (0, SeccompCmpOp::Ne, u64::from(family.unsigned_abs())))
        .collect();
    match none_of.is_empty() {
        true => Ok(Some(Vec::new())),
        false => Ok(Some(vec![rule(&none_of)?])),
    }
}

/// A rule that fits when all of these fit: an argument, and what is to be said of it.
fn rule(conditions: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, BackendError> {
    let conditions = conditions.iter().map(|(argument, operator, value)| {
        let word = SeccompCmpArgLen::Dword;
        SeccompCondition::new(*argument, word, operator.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}
