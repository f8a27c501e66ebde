"""The fronts: what each public op checks, how it reaches a backend, and its gradients."""
