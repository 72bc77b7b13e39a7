/* SPDX-License-Identifier: MIT
 *
 * kernel.h - definitions of the kernel's interface that installed headers may
 * lack (Debian 12 ships those of Linux 6.1). Only numbers and layouts; what
 * the running kernel really has is found out by calling it.
 */
#ifndef NSLUA_KERNEL_H
#define NSLUA_KERNEL_H

#include <linux/ioctl.h>
#include <linux/nsfs.h>
#include <linux/types.h>
#include <sys/syscall.h>

/* unshare(2), clone(2) */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* system calls that glibc 2.31 to 2.36 do not wrap; same numbers on every
   architecture since the tables were unified at 424 */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#ifndef SYS_listns
#define SYS_listns 470
#endif

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* pidfd_open(2) on oneself without a descriptor: Linux 6.15 */
#ifndef PIDFD_SELF
#define PIDFD_SELF_THREAD (-10000)
#define PIDFD_SELF_THREAD_GROUP (-10001)
#define PIDFD_SELF PIDFD_SELF_THREAD
#endif

/* ioctls of a pidfd: Linux 6.11 and 6.13 */
#ifndef PIDFD_GET_CGROUP_NAMESPACE
#define PIDFD_GET_CGROUP_NAMESPACE _IO(0xFF, 1)
#define PIDFD_GET_IPC_NAMESPACE _IO(0xFF, 2)
#define PIDFD_GET_MNT_NAMESPACE _IO(0xFF, 3)
#define PIDFD_GET_NET_NAMESPACE _IO(0xFF, 4)
#define PIDFD_GET_PID_NAMESPACE _IO(0xFF, 5)
#define PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE _IO(0xFF, 6)
#define PIDFD_GET_TIME_NAMESPACE _IO(0xFF, 7)
#define PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE _IO(0xFF, 8)
#define PIDFD_GET_USER_NAMESPACE _IO(0xFF, 9)
#define PIDFD_GET_UTS_NAMESPACE _IO(0xFF, 10)
#endif
/* struct pidfd_info as it was first; a later one only grew */
typedef struct pidfd_Info {
  __u64 mask, cgroupid;
  __u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  __s32 exit_code;
} pidfd_Info;
#ifndef PIDFD_GET_INFO
#define PIDFD_INFO_PID 1
#define PIDFD_INFO_CREDS 2
#define PIDFD_INFO_EXIT 8 /* Linux 6.15 */
#define PIDFD_GET_INFO _IOWR(0xFF, 11, pidfd_Info)
#endif

/* ioctls of a namespace: Linux 6.11, 6.12, 6.18 */
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(NSIO, 0x5, __u64)
#endif
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(NSIO, 0x6, int)
#define NS_GET_TGID_FROM_PIDNS _IOR(NSIO, 0x7, int)
#define NS_GET_PID_IN_PIDNS _IOR(NSIO, 0x8, int)
#define NS_GET_TGID_IN_PIDNS _IOR(NSIO, 0x9, int)
#endif
#ifndef NS_MNT_GET_INFO
struct mnt_ns_info {
  __u32 size;
  __u32 nr_mounts;
  __u64 mnt_ns_id;
};
#define NS_MNT_GET_INFO _IOR(NSIO, 10, struct mnt_ns_info)
#define NS_MNT_GET_NEXT _IOR(NSIO, 11, struct mnt_ns_info)
#define NS_MNT_GET_PREV _IOR(NSIO, 12, struct mnt_ns_info)
#endif
/* listns(2), and a namespace file by its id alone: Linux 6.19 */
#ifndef NS_ID_REQ_SIZE_VER0
#define NS_ID_REQ_SIZE_VER0 32
struct ns_id_req {
  __u32 size;
  __u32 spare;
  __u64 ns_id;
  __u32 ns_type;
  __u32 spare2;
  __u64 user_ns_id;
};
#endif
#ifndef FD_NSFS_ROOT
#define FD_NSFS_ROOT (-10003)
#endif
#ifndef FILEID_NSFS
#define FILEID_NSFS 0xf1
#endif
#ifndef NS_GET_ID
#define NS_GET_ID _IOR(NSIO, 13, __u64)
#endif
#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif

/* statx(2): which mount a path is on; the unique number is Linux 6.8 */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000U
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif

/* open_tree(2), move_mount(2), fsconfig(2): Linux 5.2 */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#define FSMOUNT_CLOEXEC 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_SYMLINKS 0x01
#define MOVE_MOUNT_F_AUTOMOUNTS 0x02
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_SYMLINKS 0x10
#define MOVE_MOUNT_T_AUTOMOUNTS 0x20
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
/* an enum in the headers: fsconfig's commands */
enum { KERNEL_FSCONFIG_SET_FLAG = 0, KERNEL_FSCONFIG_SET_STRING = 1,
       KERNEL_FSCONFIG_CMD_CREATE = 6 };

/* mount_setattr(2): Linux 5.12 */
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 0x01
#define MOUNT_ATTR_NOSUID 0x02
#define MOUNT_ATTR_NODEV 0x04
#define MOUNT_ATTR_NOEXEC 0x08
#define MOUNT_ATTR__ATIME 0x70
#define MOUNT_ATTR_NOATIME 0x10
#define MOUNT_ATTR_STRICTATIME 0x20
#define MOUNT_ATTR_NODIRATIME 0x80
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
struct kernel_mount_attr { /* struct mount_attr */
  __u64 attr_set;
  __u64 attr_clr;
  __u64 propagation;
  __u64 userns_fd;
};

/* statmount(2), listmount(2): Linux 6.8; mnt_ns_id: 6.11 */
#define KERNEL_LSMT_ROOT 0xffffffffffffffffULL
enum {
  KERNEL_STATMOUNT_SB_BASIC = 0x1, KERNEL_STATMOUNT_MNT_BASIC = 0x2,
  KERNEL_STATMOUNT_MNT_ROOT = 0x8, KERNEL_STATMOUNT_MNT_POINT = 0x10,
  KERNEL_STATMOUNT_FS_TYPE = 0x20, KERNEL_STATMOUNT_MNT_OPTS = 0x80,
  KERNEL_STATMOUNT_FS_SUBTYPE = 0x100, KERNEL_STATMOUNT_SB_SOURCE = 0x200,
};
struct kernel_mnt_id_req { /* struct mnt_id_req, MNT_ID_REQ_SIZE_VER1 */
  __u32 size;
  __u32 spare;
  __u64 mnt_id;
  __u64 param;
  __u64 mnt_ns_id;
};
struct kernel_statmount { /* struct statmount */
  __u32 size;
  __u32 mnt_opts; /* texts are offsets into str[] */
  __u64 mask;
  __u32 sb_dev_major;
  __u32 sb_dev_minor;
  __u64 sb_magic;
  __u32 sb_flags;
  __u32 fs_type;
  __u64 mnt_id;
  __u64 mnt_parent_id;
  __u32 mnt_id_old;
  __u32 mnt_parent_id_old;
  __u64 mnt_attr;
  __u64 mnt_propagation;
  __u64 mnt_peer_group;
  __u64 mnt_master;
  __u64 propagate_from;
  __u32 mnt_root;
  __u32 mnt_point;
  __u64 mnt_ns_id;
  __u32 fs_subtype;
  __u32 sb_source;
  __u64 spare[48];
  char str[];
};

#endif
