# SPDX-License-Identifier: BSD-2-Clause
"""What ./bench prints: a table for each medium, and how the figures stand to the marks."""
import statistics

CPU_MARK = 0.55
IDLE_MARK_US_PER_S = 10.0  # below this the processor time of an idle server counts as none


def ratios(runs, server, other, workload, figure):
    """figure of server by that of other, round by round: noise hits both of a round alike."""
    return [mine[figure] / theirs[figure] for mine, theirs in zip(runs[server][workload], runs[other][workload])
            if theirs[figure]]


def spread(values, form="%.0f"):
    text = form % statistics.median(values)
    return text if len(values) == 1 else "%s [%s-%s]" % (text, form % min(values), form % max(values))


def median_of(runs, server, workload, figure):
    return statistics.median(run[figure] for run in runs[server][workload])


def table(medium, runs, workloads, opened):
    lines = ["", "%s" % medium]
    lines += ["  %s has the image open by: %s" % pair for pair in sorted(opened.items())]
    header = "  %-18s %-10s %-24s %8s %8s %9s %-24s" % (
        "workload", "server", "IOPS [min-max]", "MiB/s", "p50 us", "p99 us", "server CPU us/I/O")
    others = [server for server in runs if server != "lungfishd"]
    lines += [header]
    for workload in workloads:
        for server in runs:
            results = runs[server][workload]
            line = "  %-18s %-10s %-24s %8.1f %8.0f %9.0f %-24s" % (
                workload, server, spread([run["iops"] for run in results]),
                median_of(runs, server, workload, "mib_s"), median_of(runs, server, workload, "p50_us"),
                median_of(runs, server, workload, "p99_us"),
                spread([run["server_cpu_us_per_io"] for run in results], "%.2f"))
            lines.append(line.rstrip())
        if "lungfishd" not in runs:
            continue
        for other in others:
            lines.append("  %-18s lungfishd / %s: IOPS %s, server CPU per I/O %s" % (
                "", other, spread(ratios(runs, "lungfishd", other, workload, "iops"), "%.2f"),
                spread(ratios(runs, "lungfishd", other, workload, "server_cpu_us_per_io"), "%.2f")))
    return lines


def idle_lines(idle):
    return ["", "idle, four sessions connected"] + [
        "  %-10s %.1f us of processor time a second" % (server, run["server_cpu_seconds"] * 1e6 / run["seconds"])
        for server, run in idle.items()]


def verdict(good, text):
    return "  %-6s  %s" % ("met" if good else "MISSED", text)


def judge_cpu(media):
    for medium, runs in media.items():
        for workload in ("randread 4K d32", "randwrite 4K d32"):
            name = "CPU per I/O at most %.2f of tgtd aio's: %s, %s" % (CPU_MARK, workload, medium)
            if "lungfishd" not in runs or "tgtd-aio" not in runs:
                yield "  ?       %s: not measured" % name
                continue
            found = ratios(runs, "lungfishd", "tgtd-aio", workload, "server_cpu_us_per_io")
            yield verdict(statistics.median(found) <= CPU_MARK, "%s: %s" % (name, spread(found, "%.2f")))


def judge_speed(media, workloads):
    for medium, runs in media.items():
        for other in ("tgtd-aio", "tgtd-rdwr"):
            if "lungfishd" not in runs or other not in runs:
                yield "  ?       no workload slower than %s: %s: not measured" % (other, medium)
                continue
            slower = []
            for workload in workloads:
                found = ratios(runs, "lungfishd", other, workload, "iops")
                if statistics.median(found) < 1.0:
                    slower.append("%s %s" % (workload, spread(found, "%.2f")))
            yield verdict(not slower, "no workload slower than %s: %s%s" % (
                other, medium, "".join("; " + text for text in slower)))


def marks(media, idle, workloads):
    lines = ["", "marks (medians of the ratios of the same round)"]
    lines += judge_cpu(media)
    if "lungfishd" in idle:
        used = idle["lungfishd"]["server_cpu_seconds"] * 1e6 / idle["lungfishd"]["seconds"]
        lines.append(verdict(used < IDLE_MARK_US_PER_S, "idle CPU zero (below %.0f us a second): %.1f us a second" %
                             (IDLE_MARK_US_PER_S, used)))
    else:
        lines.append("  ?       idle CPU zero: not measured")
    lines += judge_speed(media, workloads)
    return lines
