/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every struct, enum and limit that the kernel programs share with user space. The Python side is
 * landfast/event.py and landfast/policy/layout.py (what leaves the host) and landfast_agent/layout.py (what does
 * not); tests/bpf/test_layout.py holds all of them against this file. Fields are naturally aligned, holes are
 * explicit, integers are in host byte order unless the name ends in _be. Addresses are always 16 bytes:
 * IPv4 is ::ffff:a.b.c.d.
 */
#ifndef LANDFAST_H
#define LANDFAST_H

#define LF_LAYOUT_VERSION 3 /* of every pinned map; raised on any change below */

#define LF_CLASSES    64   /* data classes of one deployment: one bit each in a tag mask */
#define LF_SLOTS      2    /* policies held at once; slot = generation % LF_SLOTS */
#define LF_INSTANTS   4096 /* distinct expiry instants of one policy */
#define LF_TIMED_SETS 4096 /* distinct combinations of (class, expiry instant) of one policy */
#define LF_GLOB_WORDS 32   /* words of the selector automaton: 32 * 64 pattern characters */
#define LF_GLOB_BITS  (LF_GLOB_WORDS * 64)
#define LF_PATH_LEN   256            /* of a cgroup path that selectors are matched against */
#define LF_FILTER     4096           /* slots of the filter that spares untagged processes a search */
#define LF_FILE_LEN   128            /* of an executable's path in lf_image */
#define LF_HUNT_DEPTH 512            /* generations that may pass between two looks of a hunt */
#define LF_UNIX_NAME  112            /* of a unix socket: sun_path of unix(7), and a NUL */
#define LF_FLOW_NS    60000000000ULL /* a flow that goes on is recorded when it has been counted for so long, */
#define LF_FLOW_TICKS 64             /* at a multiple of so many packets */
#define LF_TURN_NS                                                                                                     \
	1000000000ULL /* a socket that turns to another address gets a record for the one before, if                   \
	                 it has stayed with that for so long */

/* What address a prefix is about. Part of the key, so that one trie holds all three. */
enum lf_space {
	LF_SPACE_ALLOW = 0, /* remote address, with remote ports: who may be talked to */
	LF_SPACE_SERVE = 1, /* remote address, with local ports: who may be answered */
	LF_SPACE_PEER = 2,  /* address of this host, with remote ports: untagged local processes */
};

/* Transport as policy sees it: the IP protocol number, ICMPv6 folded into ICMP. */
enum lf_proto {
	LF_PROTO_ICMP = 1,
	LF_PROTO_TCP = 6,
	LF_PROTO_UDP = 17,
};

enum lf_verdict {
	LF_ALLOW = 1,
	LF_DENY = 2,
	LF_WOULD_DENY = 3, /* every class that is missing is in audit mode: recorded, let pass */
};

enum lf_reason {
	LF_R_NONE = 0,
	LF_R_RULE = 1,              /* an allow rule */
	LF_R_SERVE = 2,             /* a serve rule */
	LF_R_PEER = 3,              /* a peers rule */
	LF_R_SAME_CLASS = 4,        /* the local peer carries every class of the sender */
	LF_R_LOOPBACK = 5,          /* loopback: allow */
	LF_R_NO_RULE = 6,           /* nothing allows it */
	LF_R_EXPIRED = 7,           /* a rule allowed it until its expiry */
	LF_R_UNKNOWN_CLASS = 8,     /* a class that the policy does not hold (any more) */
	LF_R_NO_POLICY = 9,         /* no policy has been loaded yet */
	LF_R_UNTAGGED_PEER = 10,    /* the local peer lacks a class of the sender, or nobody listens */
	LF_R_FORBIDDEN_FAMILY = 11, /* a socket family that nobody decides on */
	LF_R_FORBIDDEN_PROTOCOL = 12,
	LF_R_RAW_SOCKET = 13,
	LF_R_SOURCE_ROUTE = 14,      /* IP options or an IPv6 routing header */
	LF_R_MALFORMED = 15,         /* a packet that cannot be read, so cannot be judged */
	LF_R_NO_STORAGE = 16,        /* the kernel had no memory to remember the tags */
	LF_R_EXEC = 17,              /* not a decision: a tagged process executed a file */
	LF_R_CGROUP = 18,            /* not a decision: a process was tagged since its cgroup is selected */
	LF_R_FORBIDDEN_CALL = 19,    /* a system call that would slip past every hook; its number is in detail */
	LF_R_FOREIGN_NAMESPACE = 20, /* not the network namespace that the process was tagged in */
};

/* Where a record was made. One row of counters each. */
enum lf_stage {
	LF_S_CREATE = 0,  /* socket creation */
	LF_S_CONNECT = 1, /* connect and Fast Open; with LF_E_SERVING a client that asks a tagged listener */
	LF_S_SENDMSG = 2, /* unconnected UDP send */
	LF_S_EGRESS = 3,  /* a packet about to leave the socket layer */
	LF_S_TASK = 4,    /* task lifecycle: records, never verdicts */
	LF_S_SYSCALL = 5, /* forbidden system calls and socket options */
	LF_S_UNIX = 6,    /* connecting and sending to unix sockets */
	LF_S_DEVICE = 7,  /* a frame about to leave through a device */
	LF_S_FLOW = 8,    /* what a socket has sent and received: records, never verdicts */
	LF_STAGES = 9,
};

/* Counters of a stage; index = stage * LF_COUNTERS + counter. Promise 7: DECIDED == SUBMITTED + LOST. */
enum lf_counter {
	LF_C_DECIDED = 0, /* verdicts computed (LF_S_TASK, LF_S_FLOW: records wanted) */
	LF_C_ALLOW = 1,
	LF_C_DENY = 2,
	LF_C_WOULD_DENY = 3,
	LF_C_CACHED = 4,    /* packets passed or dropped by a cached verdict: no decision, no event */
	LF_C_SUBMITTED = 5, /* records handed to the ring */
	LF_C_LOST = 6,      /* records that did not fit in the ring */
	LF_C_CANARY = 7,    /* decisions about the canary, counted above too: written by the daemon alone */
	LF_COUNTERS = 8,
};

/* Failures by place; index = LF_STAGES * LF_COUNTERS + failure. */
enum lf_failure {
	LF_F_TASK_MAP = 0, /* a task's tags did not fit in the map; its parent was killed */
	LF_F_SOCKET_STORAGE = 1,
	LF_F_HEARD_MAP = 2,   /* a UDP peer could not be remembered: it cannot be answered */
	LF_F_CGROUP_MAP = 3,  /* a selected cgroup could not be remembered */
	LF_F_CGROUP_PATH = 4, /* a cgroup path longer than LF_PATH_LEN: matched by its beginning only */
	LF_F_SIGNAL = 5,      /* bpf_send_signal failed */
	LF_F_IMAGE_MAP = 6,
	LF_FAILURES = 8, /* batches have room for one more */
};
#define LF_COUNTER_SLOTS (LF_STAGES * LF_COUNTERS + LF_FAILURES)

/* lf_event.flags */
#define LF_E_LOCAL   1 /* the destination is this host */
#define LF_E_SERVING 2 /* a connection that our listener accepted, or a UDP peer heard from */

/* lf_event.detail of a forbidden call: its number, or with LF_CALL_LSM the hook that refused it */
#define LF_CALL_32BIT (1ULL << 32)
#define LF_CALL_LSM   (1ULL << 33)

/* Hooks of the tier with BPF LSM, named as the kernel names them. */
enum lf_lsm_hook {
	LF_LSM_SOCKET_CREATE = 1,
	LF_LSM_SOCKET_SENDMSG = 2,
	LF_LSM_FILE_RECEIVE = 3,
	LF_LSM_FILE_PERMISSION = 4,
	LF_LSM_PTRACE_ACCESS_CHECK = 5,
	LF_LSM_BPF = 6,
	LF_LSM_KERNEL_READ_FILE = 7,
	LF_LSM_KERNEL_LOAD_DATA = 8,
	LF_LSM_TUN_DEV_CREATE = 9,
	LF_LSM_TUN_DEV_OPEN = 10,
	LF_LSM_INODE_INIT_SECURITY_ANON = 11,
	LF_LSM_SOCKET_POST_CREATE = 12,
	LF_LSM_SOCKET_ACCEPT = 13,
};

/*
 * One record of the ring buffer: 128 bytes. time_ns is CLOCK_BOOTTIME.
 *
 * In a record of LF_S_FLOW that is the end of an interval of a socket's life, and detail its beginning; tid and ifindex
 * are the packets that left and came in it, and the bytes are those behind the TCP, UDP or ICMP header. An interval
 * begins where the one before ended, so that sums are exact. A remote of zeros: several.
 */
struct lf_event {
	__u64 time_ns;
	__u64 tags;      /* classes of the socket and of the process */
	__u64 missing;   /* classes among them that nothing allows; 0 when allowed */
	__u64 cookie;    /* of the socket; 0 when there is none */
	__u64 cgroup_id; /* of the current task */
	__u64 image;     /* key of lf_image: which execution of the process */
	__u64 version;   /* of the policy that decided */
	__u32 tgid;
	__u32 tid;
	__u32 uid;
	__u32 rule; /* number of the deciding rule in its policy, from 1; 0: none, or more than one */
	__u8 stage;
	__u8 verdict;
	__u8 reason;
	__u8 protocol; /* as policy sees it */
	__u8 family;   /* AF_INET, AF_INET6, or the family that was asked for */
	__u8 type;     /* SOCK_STREAM, SOCK_DGRAM, SOCK_RAW; 0 in egress */
	__u8 flags;
	__u8 pad;
	__u16 remote_port;
	__u16 local_port;
	__u32 ifindex; /* egress only */
	union {
		char comm[16];
		struct {
			__u64 bytes_out;
			__u64 bytes_in;
		};
	};
	__u8 remote[16];
	__u64 detail; /* a forbidden call's number, LF_CALL_32BIT added for those of the 32-bit ABI; where the name of a
	                 unix socket is found */
};

/* An interval of a socket's life, since the record before. */
struct lf_flow {
	__u64 since_ns; /* CLOCK_BOOTTIME; 0: nothing has passed yet */
	__u64 version;  /* of the policy that decided, and what it said */
	__u8 remote[16];
	__u16 remote_port;
	__u16 local_port;
	__u32 rule;
	__u8 protocol; /* 0: not known yet who is at the other end */
	__u8 flags;    /* of its record: LF_E_LOCAL, LF_E_SERVING */
	__u8 verdict;
	__u8 reason;
	__u8 family;
	__u8 several; /* packets went to more than one address */
	__u16 pad;
	__u32 ticks; /* packets that left, for the next look at the clock */
	__u32 packets_out;
	__u32 packets_in;
	__u32 pad2;
	__u64 bytes_out; /* behind the transport header */
	__u64 bytes_in;
};

/* What one execution of a tagged process looked like; read by the daemon to name processes that are gone. */
struct lf_image {
	__u64 time_ns;
	__u64 cgroup_id;
	__u32 tgid;
	__u32 uid;
	char comm[16];
	char file[LF_FILE_LEN];
};

/* A tagged thread group. */
struct lf_task {
	__u64 tags;
	__u64 image;
	__u64 since_ns;  /* CLOCK_BOOTTIME when it became tagged */
	__u64 cgroup_id; /* of the selected cgroup that tagged it; 0: inherited or explicit */
	__u32 parent;    /* thread group that it inherited from; 0: tagged from outside */
	__u32 hunt;      /* the hunt that found it, see lf_control */
	__u64 netns;     /* cookie of the network namespace where its rules hold; 0: not decided before its next exec or
	                    socket */
};

/* Where a process came from, so that `tag` finds a whole tree even if its middle has died. */
struct lf_birth {
	__u64 time_ns;
	__u32 parent;
	__u32 hunt; /* that the child was born under: it is tagged */
};

/* What a socket remembers. Never rebuilt: fields may be added at the end of reserved only. */
struct lf_sock {
#ifdef LF_KERNEL
	struct bpf_spin_lock lock; /* guards everything below */
#else
	__u32 lock;
#endif
	__u32 layout;
	__u64 tags;
	__u64 origin; /* cookie of the socket that this was made for: another one means a clone, so accepted */
	__u64 image;  /* the tagged process that used it last: names the sender of packets sent in its absence */
	__u32 tgid;
	__u32 uid;
	/* the cached verdict: valid for exactly this question, in this generation, until this deadline */
	__u64 generation;
	__u64 deadline_ns;
	__u8 remote[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 protocol;
	__u8 local;
	__u8 verdict;
	__u8 serving;
	__u64 peer_tags; /* of a local UDP peer: whoever holds the port now is who is asked; a TCP connection stays */
	__u64 foreign;   /* not 0: made in another network namespace than its process was tagged in */
	__u64 version;   /* who made the cached verdict, and why */
	__u32 rule;
	__u8 reason;
	__u8 pad[3];
	struct lf_flow flow;
	__u64 reserved[2];
};

/* Written by user space once, changed by one 64-bit store: the switch. */
struct lf_control {
	__u64 generation; /* 0: no policy; slot = generation % LF_SLOTS */
	__u64 layout;
	__u64 tagged;       /* classes that were ever given or selected: until there is one, programs return at once */
	__u64 selecting;    /* not 0 while the policy selects cgroups */
	__u64 wake_ns;      /* when the ring's reader was last woken */
	__u64 reserve_used; /* tags of tasks spilled into the reserve map */
	__u64 hunt;      /* not 0 while `tag` is after a tree: its number; who descends from the found is found too */
	__u64 hunt_tags; /* what it gives */
	__u64 guarded;   /* not 0 while the programs of guard.c are attached */
	__u64 lsm;       /* not 0 while the programs of lsm.c are attached, which do its work */
	__u64 flows;     /* not 0 while the programs of flow.c are attached */
};

/* The fixed part of a policy. Masks have one bit per class. */
struct lf_policy {
	__u64 generation; /* host's own; not part of the digest */
	__u64 version;
	__u64 loaded;     /* classes that the policy holds */
	__u64 audit;      /* mode: audit */
	__u64 loop_allow; /* loopback: allow */
	__u64 loop_deny;  /* loopback: deny */
	__u64 kill;       /* forbidden_calls: kill */
	__u64 glob_words; /* words of the automaton in use */
	__u8 digest[32];  /* SHA-256 of the canonical policy */
	__u64 io_uring;   /* io_uring: allow */
	__u64 reserved[3];
};

/* Key of the destination trie. prefixlen counts the 32 bits of space too. */
struct lf_dest_key {
	__u32 prefixlen;
	__u32 space;
	__u8 address[16];
};

/* Classes that something is granted to, and until when. */
struct lf_grant {
	__u64 classes;   /* for as long as the policy is active */
	__u64 timed;     /* until an instant of their own */
	__u32 timed_set; /* index of the lf_timed_set that tells which */
	__u32 rule;
};

/* A destination: the grant for any protocol and port, and the id of its port table. */
struct lf_dest {
	struct lf_grant any;
	__u32 ports; /* 0: none */
	__u32 pad;
};

/* Key of the port trie. prefixlen counts ports, protocol and pad (48 bits) too. */
struct lf_port_key {
	__u32 prefixlen;
	__u32 ports;
	__u8 protocol;
	__u8 pad;
	__u16 port_be;
};

/* Example: class 3 until instant 7, class 5 until instant 9: instant[3] = 7, instant[5] = 9. */
struct lf_timed_set {
	__u16 instant[LF_CLASSES];
};

/* An expiry: by the wall clock as the policy says it, and when that is on this host since boot. */
struct lf_instant {
	__u64 unix_s;
	__u64 boot_ns;
};

/*
 * Selectors as one non-deterministic automaton over the characters of a cgroup path, one bit per state. Each pattern
 * is a start state followed by one state per character; a star makes the state before it loop. No character leads
 * into a start state, so patterns may lie side by side. Example: "a*.b" has the states  start  a(loops)  .  b.
 * For each character c, with enter_path only before the first one and enter_component after every '/':
 *     before = active | enter
 *     active = ((before << 1) & on[c]) | (before & loop, unless c is '/')
 * and a pattern has matched when its last state is active and the path goes on with '/' or ends.
 */
struct lf_glob {
	__u64 enter_path[LF_GLOB_WORDS];      /* start states of path patterns: entered before the first character */
	__u64 enter_component[LF_GLOB_WORDS]; /* start states of unit patterns: entered after every '/' */
	__u64 loop[LF_GLOB_WORDS];            /* states that stay active on any character but '/' */
	__u64 last[LF_GLOB_WORDS];
};

/* Row of the automaton for one character: states that it leads into. */
struct lf_glob_row {
	__u64 on[LF_GLOB_WORDS];
};

/* What a pattern is worth: tags by the number of its last state. */
struct lf_glob_tags {
	__u64 tags[LF_GLOB_BITS];
};

/* Who a UDP socket has heard from. */
struct lf_heard_key {
	__u64 cookie;
	__u8 remote[16];
	__u16 remote_port;
	__u16 pad[3];
};

/* A path without its NUL, or an abstract name, which begins with a NUL; what is not counted in length is 0. */
struct lf_unix_name {
	__u32 length;
	char name[LF_UNIX_NAME];
};

#endif
