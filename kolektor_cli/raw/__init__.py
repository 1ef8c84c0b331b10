"""Raw datasets: official releases, layouts of files, samples, duplicates, synthetic datasets."""
