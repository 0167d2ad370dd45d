"""The command line: one file per command, each thin. They parse, call gansmith.pipelines, and print."""
