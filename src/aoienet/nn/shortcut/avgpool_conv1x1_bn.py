"""2x2 mean at stride 2, a real 1x1 convolution and a batch norm."""

from aoienet.nn.shortcut.avgpool_conv1x1 import AvgPoolConv1x1


class AvgPoolConv1x1BN(AvgPoolConv1x1):
    """Source: Bi-Real Net (Liu 2018), IR-Net, AdaBin: ImageNet forms of their code."""

    name = "avgpool_conv1x1_bn"
    batchnorm = True
