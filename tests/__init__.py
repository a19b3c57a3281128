"""The tests of Gaitway; a package, so that files of the same name can live in several folders."""
