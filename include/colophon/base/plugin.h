/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin.h - libraries that are loaded when somebody asks for them.
 *
 * A plug-in links what not everybody has (MPI, oneDNN) and exports one function; the
 * program itself needs neither. libcolophon-<name>.so is looked for in $COLOPHON_PLUGINS
 * if that is set and only there; else beside libcolophon, in ../lib and ../lib/colophon of the
 * program, then where the system's loader looks.
 *
 * Threads  Any; the loader locks.
 * Memory   A plug-in stays loaded until the process ends.
 * Errors   CPH_IO with the loader's words and what to install.
 */
#ifndef CPH_BASE_PLUGIN_H
#define CPH_BASE_PLUGIN_H

#include <colophon/base/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The address of the function `symbol` in libcolophon-<name>.so; memcpy makes it a pointer to a function. */
CPH_API cph_status cph_plugin_symbol(void **out, const char *name, const char *symbol,
                                     cph_err *err) CPH_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
