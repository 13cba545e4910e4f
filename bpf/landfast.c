/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All programs of the data plane, as one compilation unit for BCC. Only uapi headers: one source for all kernels. */
#include <uapi/linux/bpf.h>
#include <uapi/linux/in.h>
#include <uapi/linux/in6.h>
#include <uapi/linux/ip.h>
#include <uapi/linux/ipv6.h>

#define LF_KERNEL
#include "landfast.h"
#include "maps.h"
#include "event.h"
#include "decide.h"
#include "glob.h"
#include "task.h"
#include "socket.h"
#include "task.c"
#include "socket.c"
#include "egress.c"
