/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All programs of the data plane. Only uapi headers: one source for all kernels. BCC compiles it in parts,
 * side by side.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/in.h>
#include <uapi/linux/in6.h>
#include <uapi/linux/ip.h>
#include <uapi/linux/ipv6.h>

#define LF_KERNEL
#include "landfast.h"
#include "maps.h"
#include "kernel.h"
#include "event.h"
#include "decide.h"
#include "glob.h"
#include "task.h"
#include "socket.h"
#include "flow.h"
#include "forbidden.h"
#include "peer.h"
#include "unix.h"
#ifdef LF_UNIT_CONNECT
#include "connect.c"
#include "egress.c"
#include "flow.c"
#include "device.c"
#include "option.c"
#elif defined(LF_UNIT_LSM)
#include "lsm.c"
#else
#include "task.c"
#include "sendmsg.c"
#include "guard.c"
#include "unix.c"
#endif
