"""One file per GAN. They are found by file name; see `gansmith.pipelines.catalogue`, the only place that looks."""
