"""Images: arrays and what is accepted as one, image files and folders, amplitude spectra."""
