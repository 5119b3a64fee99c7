"""The papers, books and articles behind techniques and recipes, under the names that these give them."""

from __future__ import annotations

from collections.abc import Iterable

from steadygan.recipes.references import Paper, address_of


def paper(name: str) -> Paper:
    """The paper of that id; one that the table lacks has an address at best."""
    return PAPERS.get(name) or Paper(id=name, url=address_of(name))


def cite(ids: Iterable[str]) -> str:
    """References, one a line."""
    return "\n".join(paper(name).reference() for name in ids)


def bibtex(ids: Iterable[str]) -> str:
    """BibTeX entries."""
    return "\n".join(paper(name).bibtex() for name in ids)


def _conference(number: str, venue: str, year: int, title: str, authors: str) -> Paper:
    return Paper(
        id=f"arXiv:{number}",
        authors=tuple(authors.split(", ")),
        year=year,
        title=title,
        venue=venue,
        url=address_of(f"arXiv:{number}"),
        form="inproceedings",
    )


def _preprint(number: str, title: str, authors: str) -> Paper:
    paper = _conference(number, "arXiv", 2000 + int(number[:2]), title, authors)
    return paper.model_copy(update={"form": "misc"})


def _article(name: str, title: str, made_with: str) -> Paper:
    """One of the articles that the project began with; no more is said of it than what it is."""
    return Paper(id=f"seed:{name}", title=title, venue=f"Web article, {made_with}" if made_with else "Web article")


_ALL = (
    _conference(
        "1312.6120", "ICLR", 2014,
        "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
        "Andrew M. Saxe, James L. McClelland, Surya Ganguli",
    ),
    _conference(
        "1406.2661", "NeurIPS", 2014, "Generative Adversarial Nets",
        "Ian J. Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley, Sherjil Ozair, "
        "Aaron Courville, Yoshua Bengio",
    ),
    _preprint("1411.1784", "Conditional Generative Adversarial Nets", "Mehdi Mirza, Simon Osindero"),
    _conference(
        "1412.6806", "ICLR (workshop track)", 2015, "Striving for Simplicity: The All Convolutional Net",
        "Jost Tobias Springenberg, Alexey Dosovitskiy, Thomas Brox, Martin Riedmiller",
    ),
    _conference(
        "1412.6980", "ICLR", 2015, "Adam: A Method for Stochastic Optimization", "Diederik P. Kingma, Jimmy Ba"
    ),
    _conference(
        "1502.01852", "ICCV", 2015,
        "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification",
        "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    ),
    _conference(
        "1502.03167", "ICML", 2015,
        "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift",
        "Sergey Ioffe, Christian Szegedy",
    ),
    _preprint(
        "1505.00853", "Empirical Evaluation of Rectified Activations in Convolutional Network",
        "Bing Xu, Naiyan Wang, Tianqi Chen, Mu Li",
    ),
    _conference("1506.01186", "WACV", 2017, "Cyclical Learning Rates for Training Neural Networks", "Leslie N. Smith"),
    _conference(
        "1511.06434", "ICLR", 2016,
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        "Alec Radford, Luke Metz, Soumith Chintala",
    ),
    _conference(
        "1511.07289", "ICLR", 2016,
        "Fast and Accurate Deep Network Learning by Exponential Linear Units (ELUs)",
        "Djork-Arné Clevert, Thomas Unterthiner, Sepp Hochreiter",
    ),
    _conference(
        "1512.03385", "CVPR", 2016, "Deep Residual Learning for Image Recognition",
        "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    ),
    _conference(
        "1606.03498", "NeurIPS", 2016, "Improved Techniques for Training GANs",
        "Tim Salimans, Ian Goodfellow, Wojciech Zaremba, Vicki Cheung, Alec Radford, Xi Chen",
    ),
    _preprint(
        "1607.08022", "Instance Normalization: The Missing Ingredient for Fast Stylization",
        "Dmitry Ulyanov, Andrea Vedaldi, Victor Lempitsky",
    ),
    _conference(
        "1608.03983", "ICLR", 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts",
        "Ilya Loshchilov, Frank Hutter",
    ),
    _conference(
        "1609.05158", "CVPR", 2016,
        "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network",
        "Wenzhe Shi, Jose Caballero, Ferenc Huszár, Johannes Totz, Andrew P. Aitken, Rob Bishop, Daniel Rueckert, "
        "Zehan Wang",
    ),
    _conference(
        "1610.04490", "ICLR", 2017, "Amortised MAP Inference for Image Super-resolution",
        "Casper Kaae Sønderby, Jose Caballero, Lucas Theis, Wenzhe Shi, Ferenc Huszár",
    ),
    _conference(
        "1610.07629", "ICLR", 2017, "A Learned Representation For Artistic Style",
        "Vincent Dumoulin, Jonathon Shlens, Manjunath Kudlur",
    ),
    _conference(
        "1611.02163", "ICLR", 2017, "Unrolled Generative Adversarial Networks",
        "Luke Metz, Ben Poole, David Pfau, Jascha Sohl-Dickstein",
    ),
    _conference(
        "1611.04076", "ICCV", 2017, "Least Squares Generative Adversarial Networks",
        "Xudong Mao, Qing Li, Haoran Xie, Raymond Y. K. Lau, Zhen Wang, Stephen Paul Smolley",
    ),
    _conference(
        "1611.07004", "CVPR", 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
        "Phillip Isola, Jun-Yan Zhu, Tinghui Zhou, Alexei A. Efros",
    ),
    _conference(
        "1612.07828", "CVPR", 2017, "Learning from Simulated and Unsupervised Images through Adversarial Training",
        "Ashish Shrivastava, Tomas Pfister, Oncel Tuzel, Josh Susskind, Wenda Wang, Russ Webb",
    ),
    _conference(
        "1701.07875", "ICML", 2017, "Wasserstein Generative Adversarial Networks",
        "Martin Arjovsky, Soumith Chintala, Léon Bottou",
    ),
    Paper(
        id="arXiv:1702.03118",
        authors=("Stefan Elfwing", "Eiji Uchibe", "Kenji Doya"),
        year=2018,
        title="Sigmoid-Weighted Linear Units for Neural Network Function Approximation in Reinforcement Learning",
        venue="Neural Networks 107",
        url="https://arxiv.org/abs/1702.03118",
        form="article",
    ),
    _conference(
        "1704.00028", "NeurIPS", 2017, "Improved Training of Wasserstein GANs",
        "Ishaan Gulrajani, Faruk Ahmed, Martin Arjovsky, Vincent Dumoulin, Aaron Courville",
    ),
    _preprint(
        "1705.07215", "On Convergence and Stability of GANs", "Naveen Kodali, Jacob Abernethy, James Hays, Zsolt Kira"
    ),
    _preprint(
        "1706.02677", "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour",
        "Priya Goyal, Piotr Dollár, Ross Girshick, Pieter Noordhuis, Lukasz Wesolowski, Aapo Kyrola, "
        "Andrew Tulloch, Yangqing Jia, Kaiming He",
    ),
    _conference(
        "1706.08500", "NeurIPS", 2017,
        "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
        "Martin Heusel, Hubert Ramsauer, Thomas Unterthiner, Bernhard Nessler, Sepp Hochreiter",
    ),
    _conference(
        "1707.00683", "NeurIPS", 2017, "Modulating early visual processing by language",
        "Harm de Vries, Florian Strub, Jérémie Mary, Hugo Larochelle, Olivier Pietquin, Aaron Courville",
    ),
    _preprint(
        "1707.02937",
        "Checkerboard artifact free sub-pixel convolution: "
        "A note on sub-pixel convolution, resize convolution and convolution resize",
        "Andrew Aitken, Christian Ledig, Lucas Theis, Jose Caballero, Zehan Wang, Wenzhe Shi",
    ),
    _conference(
        "1710.10196", "ICLR", 2018, "Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        "Tero Karras, Timo Aila, Samuli Laine, Jaakko Lehtinen",
    ),
    _conference(
        "1711.05101", "ICLR", 2019, "Decoupled Weight Decay Regularization", "Ilya Loshchilov, Frank Hutter"
    ),
    _conference(
        "1801.04406", "ICML", 2018, "Which Training Methods for GANs do actually Converge?",
        "Lars Mescheder, Andreas Geiger, Sebastian Nowozin",
    ),
    _conference("1802.05637", "ICLR", 2018, "cGANs with Projection Discriminator", "Takeru Miyato, Masanori Koyama"),
    _conference(
        "1802.05957", "ICLR", 2018, "Spectral Normalization for Generative Adversarial Networks",
        "Takeru Miyato, Toshiki Kataoka, Masanori Koyama, Yuichi Yoshida",
    ),
    _conference(
        "1805.01677", "ECCV", 2018, "Transferring GANs: generating images from limited data",
        "Yaxing Wang, Chenshen Wu, Luis Herranz, Joost van de Weijer, Abel Gonzalez-Garcia, Bogdan Raducanu",
    ),
    _conference(
        "1805.08318", "ICML", 2019, "Self-Attention Generative Adversarial Networks",
        "Han Zhang, Ian Goodfellow, Dimitris Metaxas, Augustus Odena",
    ),
    _conference(
        "1806.04498", "ICLR", 2019, "The Unusual Effectiveness of Averaging in GAN Training",
        "Yasin Yazıcı, Chuan-Sheng Foo, Stefan Winkler, Kim-Hui Yap, Georgios Piliouras, Vijay Chandrasekhar",
    ),
    _conference(
        "1807.00734", "ICLR", 2019, "The relativistic discriminator: a key element missing from standard GAN",
        "Alexia Jolicoeur-Martineau",
    ),
    _conference(
        "1810.01365", "ICLR", 2019, "On Self Modulation for Generative Adversarial Networks",
        "Ting Chen, Mario Lucic, Neil Houlsby, Sylvain Gelly",
    ),
    _conference(
        "1811.09567", "ECCV", 2020, "How does Lipschitz Regularization Influence GAN Training?",
        "Yipeng Qin, Niloy Mitra, Peter Wonka",
    ),
    _conference(
        "1812.04948", "CVPR", 2019, "A Style-Based Generator Architecture for Generative Adversarial Networks",
        "Tero Karras, Samuli Laine, Timo Aila",
    ),
    _conference(
        "1903.05628", "CVPR", 2019, "Mode Seeking Generative Adversarial Networks for Diverse Image Synthesis",
        "Qi Mao, Hsin-Ying Lee, Hung-Yu Tseng, Siwei Ma, Ming-Hsuan Yang",
    ),
    _conference(
        "1903.06048", "CVPR", 2020, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial Networks",
        "Animesh Karnewar, Oliver Wang",
    ),
    _conference(
        "1912.04958", "CVPR", 2020, "Analyzing and Improving the Image Quality of StyleGAN",
        "Tero Karras, Samuli Laine, Miika Aittala, Janne Hellsten, Jaakko Lehtinen, Timo Aila",
    ),
    _conference(
        "2002.04724", "AAAI", 2021, "Improved Consistency Regularization for GANs",
        "Zhengli Zhao, Sameer Singh, Honglak Lee, Zizhao Zhang, Augustus Odena, Han Zhang",
    ),
    _preprint(
        "2002.10964", "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs",
        "Sangwoo Mo, Minsu Cho, Jinwoo Shin",
    ),
    _conference(
        "2006.06676", "NeurIPS", 2020, "Training Generative Adversarial Networks with Limited Data",
        "Tero Karras, Miika Aittala, Janne Hellsten, Samuli Laine, Jaakko Lehtinen, Timo Aila",
    ),
    _conference(
        "2006.10738", "NeurIPS", 2020, "Differentiable Augmentation for Data-Efficient GAN Training",
        "Shengyu Zhao, Zhijian Liu, Ji Lin, Jun-Yan Zhu, Song Han",
    ),
    _conference(
        "2104.03310", "CVPR", 2021, "Regularizing Generative Adversarial Networks under Limited Data",
        "Hung-Yu Tseng, Lu Jiang, Ce Liu, Ming-Hsuan Yang, Weilong Yang",
    ),
    _conference(
        "2409.11321", "ICLR", 2025, "SOAP: Improving and Stabilizing Shampoo using Adam for Language Modeling",
        "Nikhil Vyas, Depen Morwani, Rosie Zhao, Mujin Kwun, Itai Shapira, David Brandfonbrener, Lucas Janson, "
        "Sham Kakade",
    ),
    _conference(
        "2501.05441", "NeurIPS", 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline",
        "Yiwen Huang, Aaron Gokaslan, Volodymyr Kuleshov, James Tompkin",
    ),
    _conference(
        "2501.08316", "ICML", 2025, "Diffusion Adversarial Post-Training for One-Step Video Generation",
        "Shanchuan Lin, Xin Xia, Yuxi Ren, Ceyuan Yang, Xuefeng Xiao, Lu Jiang",
    ),
    _conference(
        "2506.09350", "NeurIPS", 2025,
        "Autoregressive Adversarial Post-Training for Real-Time Interactive Video Generation",
        "Shanchuan Lin, Ceyuan Yang, Hao He, Jianwen Jiang, Yuxi Ren, Xin Xia, Yang Zhao, Xuefeng Xiao, Lu Jiang",
    ),
    Paper(
        id="https://proceedings.mlr.press/v9/glorot10a.html",
        authors=("Xavier Glorot", "Yoshua Bengio"),
        year=2010,
        title="Understanding the difficulty of training deep feedforward neural networks",
        venue="AISTATS",
        url="https://proceedings.mlr.press/v9/glorot10a.html",
        form="inproceedings",
    ),
    Paper(
        id="doi:10.23915/distill.00003",
        authors=("Augustus Odena", "Vincent Dumoulin", "Chris Olah"),
        year=2016,
        title="Deconvolution and Checkerboard Artifacts",
        venue="Distill",
        url="https://doi.org/10.23915/distill.00003",
        form="article",
    ),
    _preprint("1203.1513", "Invariant Scattering Convolution Networks", "Joan Bruna, Stéphane Mallat"),
    _conference(
        "1610.09585", "ICML", 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs",
        "Augustus Odena, Christopher Olah, Jonathon Shlens",
    ),
    _conference(
        "1801.01401", "ICLR", 2018, "Demystifying MMD GANs",
        "Mikołaj Bińkowski, Danica J. Sutherland, Michael Arbel, Arthur Gretton",
    ),
    _conference(
        "1904.06991", "NeurIPS", 2019, "Improved Precision and Recall Metric for Assessing Generative Models",
        "Tuomas Kynkäänniemi, Tero Karras, Samuli Laine, Jaakko Lehtinen, Timo Aila",
    ),
    _conference(
        "1911.07023", "CVPR", 2020, "Effectively Unbiased FID and Inception Score and where to find them",
        "Min Jin Chong, David Forsyth",
    ),
    _conference(
        "2002.09797", "ICML", 2020, "Reliable Fidelity and Diversity Metrics for Generative Models",
        "Muhammad Ferjad Naeem, Seong Joon Oh, Youngjung Uh, Yunjey Choi, Jaejun Yoo",
    ),
    _conference(
        "1905.11946", "ICML", 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        "Mingxing Tan, Quoc V. Le",
    ),
    _conference(
        "2003.01826", "CVPR", 2020,
        "Watch your Up-Convolution: CNN Based Generative Deep Neural Networks are Failing to Reproduce Spectral "
        "Distributions",
        "Ricard Durall, Margret Keuper, Janis Keuper",
    ),
    _conference(
        "2004.05675", "AISTATS", 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models",
        "Casey Meehan, Kamalika Chaudhuri, Sanjoy Dasgupta",
    ),
    _conference(
        "2203.06026", "ICLR", 2023, "The Role of ImageNet Classes in Fréchet Inception Distance",
        "Tuomas Kynkäänniemi, Tero Karras, Miika Aittala, Timo Aila, Jaakko Lehtinen",
    ),
    _conference(
        "2306.04675", "NeurIPS", 2023,
        "Exposing flaws of generative model evaluation metrics and their unfair treatment of diffusion models",
        "George Stein, Jesse C. Cresswell, Rasa Hosseinzadeh, Yi Sui, Brendan Leigh Ross, Valentin Villecroze, "
        "Zhaoyan Liu, Anthony L. Caterini, J. Eric T. Taylor, Gabriel Loaiza-Ganem",
    ),
    Paper(
        id="doi:10.1023/A:1026543900054",
        authors=("Yossi Rubner", "Carlo Tomasi", "Leonidas J. Guibas"),
        year=2000,
        title="The Earth Mover's Distance as a Metric for Image Retrieval",
        venue="International Journal of Computer Vision",
        url="https://doi.org/10.1023/A:1026543900054",
        form="article",
    ),
    Paper(
        id="https://github.com/soumith/ganhacks",
        authors=("Soumith Chintala", "Emily Denton", "Martin Arjovsky", "Michael Mathieu"),
        year=2016,
        title="How to Train a GAN? Tips and tricks to make GANs work",
        venue="GitHub",
        url="https://github.com/soumith/ganhacks",
    ),
    Paper(
        id="isbn:9780262035613",
        authors=("Ian Goodfellow", "Yoshua Bengio", "Aaron Courville"),
        year=2016,
        title="Deep Learning",
        venue="MIT Press",
        url="https://www.deeplearningbook.org",
        form="book",
    ),
    _article("satellite", "Fake satellite images: 39 mistakes", "with TensorFlow"),
    _article("eleven-hacks", "Eleven hacks for stable GANs", "with Keras"),
    _article("upsample", "DCGAN in PyTorch, upsampling variant", ""),
    _article("faces", "DCGAN 256×256 faces", "with CNTK"),
    _article("ten-lessons", "Ten lessons from a year of GANs", ""),
)  # fmt: skip

PAPERS: dict[str, Paper] = {entry.id: entry for entry in _ALL}
