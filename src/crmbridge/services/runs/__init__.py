"""The commands that write, each as one run under the lease: pull, plan, the cycle, and what the schedule says."""
