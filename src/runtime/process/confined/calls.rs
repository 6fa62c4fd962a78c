//! seccomp: which system calls are refused, because they reach what Landlock does not know of.
//!
//! A list of what is refused, not of what is allowed: which calls a program makes depends on the libraries of the machine.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch, apply_filter,
};

use crate::plugin::Confinement;

/// On x86_64 calls have second numbers, those of x32 (arch/x86/entry/syscalls).
#[cfg(target_arch = "x86_64")]
const X32: c_long = 0x4000_0000;

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
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    // Its operations are calls that nothing filters.
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgget,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_semget,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
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
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
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
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
];

/// In no library yet; the number is the same everywhere (Linux 6.6).
const SYS_FCHMODAT2: c_long = 452;

/// `ioctl` requests that change attributes of an open file (linux/fs.h, with sizes of 64 bits).
const ATTRIBUTES: [u64; 2] = [0x4008_6602, 0x401c_5820];

/// Confines this process.
pub(super) fn confine(terms: &Confinement) -> Result<(), String> {
    let failed = |why: String| format!("seccomp refused it: {why}");
    let arch = arch().ok_or("there is no filter of system calls for this architecture")?;
    let filter = filter(terms, arch).map_err(|err| failed(err.to_string()))?;
    apply_filter(&filter).map_err(|err| failed(err.to_string()))
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
    if let Some(sockets) = sockets(terms)? {
        rules.insert(libc::SYS_socket, sockets);
    }
    #[cfg(target_arch = "x86_64")]
    {
        let twins: Vec<_> = rules
            .iter()
            .map(|(call, rule)| (call | X32, rule.clone()))
            .collect();
        rules.extend(twins);
    }
    // Calls by the numbers of another architecture end the process.
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
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
