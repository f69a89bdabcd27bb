"""python -m aoienet: the command, for launchers that start a module (torchrun --nproc-per-node N -m aoienet train ...)."""

from aoienet.cli import main

if __name__ == "__main__":
    main()
